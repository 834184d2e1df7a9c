// What a team in production must have, with evidence.
import { get } from "../api.js";
import { h, said } from "../dom.js";
import { name, t } from "../i18n.js";
import { badge, later, wide } from "../parts.js";

export async function checklist(signal) {
  return [later(t("checklist"), get("/api/checklist", {}, signal), listed)];
}

function listed({ items }) {
  const done = items.filter((one) => one.state === "yes").length;
  const tone = { yes: "good", no: "bad", unknown: "" };
  return wide(
    `${t("checklist")} · ${done} / ${items.length}`,
    h("p", { class: "hint" }, t("checklist_hint")),
    h(
      "ul",
      { class: "list" },
      items.map((one) =>
        h("li", {}, badge(name("state", one.state), tone[one.state]), " ", h("strong", {}, name("item", one.item)), h("div", {}, said(one.evidence, 600)), one.state === "yes" ? null : h("div", { class: "hint" }, said(one.remedy, 400))),
      ),
    ),
  );
}
