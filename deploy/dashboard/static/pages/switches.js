// What is stopped or slowed down: who, why, until when; and the way to do it.
import { post, query, token } from "../api.js";
import { fill, h, said } from "../dom.js";
import { count } from "../format.js";
import { name, t } from "../i18n.js";
import { announce, badge, field, table, when, wide } from "../parts.js";
import { go, parameter } from "../state.js";

export async function switches(signal) {
  const rows = await query("controls", {}, signal);
  const latest = new Map();
  for (const row of rows) if (row.status === "recorded" && !latest.has(row.scope)) latest.set(row.scope, row);
  const present = [...latest.values()].filter((row) => row.action !== "restore" && !(row.expires && row.expires <= Date.now()));
  const columns = [
    { title: t("scope"), cell: (row) => said(row.scope) },
    { title: "", cell: (row) => [badge(name("action", row.action), row.action === "kill" ? "bad" : row.action === "restore" ? "good" : "warn"), row.action === "throttle" ? ` ${t("per_minute", { n: count(row.limit) })}` : ""] },
    { title: t("reason"), cell: (row) => said(row.reason, 300) },
    { title: t("source"), cell: (row) => said([row.source, row.author].filter(Boolean).join(" · ")) },
    { title: t("since"), cell: (row) => when(row.ms), sort: (row) => row.ms },
    { title: t("until"), cell: (row) => (row.expires ? when(row.expires) : row.action === "restore" ? "–" : t("forever")) },
  ];
  return [
    wide(t("in_force"), table([...columns, { title: "", cell: (row) => h("button", { type: "button", onclick: () => fillForm(row.scope, "restore") }, t("restore")) }], present, { caption: t("in_force"), none: t("nothing_in_force") })),
    wide(t("new_switch"), switchForm()),
    wide(t("audit"), table([...columns, { title: t("status"), cell: (row) => said([row.status, row.note].filter(Boolean).join(": "), 200) }], rows, { caption: t("audit"), none: t("audit_none") })),
  ];
}

let fillForm = () => {};

function switchForm() {
  const scope = h("input", { required: true, value: parameter("scope"), placeholder: "feature:chat", size: 28, spellcheck: "false" });
  const action = h("select", {}, ["kill", "throttle", "restore"].map((one) => h("option", { value: one }, t(one))));
  const limit = h("input", { type: "number", min: 0, size: 6 });
  const lasts = h("input", { size: 8, placeholder: "30m" });
  const reason = h("input", { required: true, minlength: 3, placeholder: t("reason_hint"), size: 36 });
  const secret = h("input", { type: "password", autocomplete: "off", required: true, value: token.get() });
  const done = h("p", { role: "status" });
  const limitField = field(t("limit"), limit);
  const lastsField = field(t("lasts"), lasts);
  const adapt = () => {
    limitField.hidden = action.value !== "throttle";
    limit.required = action.value === "throttle";
    lastsField.hidden = action.value === "restore";
  };
  action.addEventListener("change", adapt);
  fillForm = (what, how) => {
    scope.value = what;
    action.value = how;
    adapt();
    reason.focus();
  };
  adapt();
  return h(
    "form",
    {
      onsubmit: async (event) => {
        event.preventDefault();
        token.set(secret.value);
        const wanted = { scope: scope.value.trim(), action: action.value, reason: reason.value };
        if (action.value === "throttle") wanted.limit = Number(limit.value);
        if (action.value !== "restore" && lasts.value.trim()) wanted.lasts = lasts.value.trim();
        try {
          await post("/api/switches", wanted);
          fill(done, t("done"));
          announce(t("done"));
          document.activeElement?.blur();
          setTimeout(() => go(location.pathname, true), 1500);
        } catch (error) {
          fill(done, error.message);
        }
      },
    },
    h("div", { class: "row" }, field(t("scope"), scope), field(t("action_word"), action), limitField, lastsField),
    h("p", { class: "hint" }, `${t("scope_hint")} · ${t("lasts_hint")}`),
    h("div", { class: "row" }, field(t("reason"), reason), field(t("token"), secret), h("button", {}, t("apply"))),
    h("p", { class: "hint" }, t("token_hint")),
    done,
  );
}
