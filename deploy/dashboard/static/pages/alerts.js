// Alerts: what fires, and the whole story of one.
import { post, query, token } from "../api.js";
import { fill, h, said } from "../dom.js";
import { decimal, minutes } from "../format.js";
import { isPortuguese, name, t } from "../i18n.js";
import { a, announce, badge, card, empty, field, id, table, toneOf, when, wide } from "../parts.js";
import { asked, change, link, parameter, period } from "../state.js";

const OWN = new Set(["summary", "description", "runbook_url", "dashboard_url", "impact", "cause", "action"]);

// The server phrases alerts in the language of the page, from the facts they carry.
const lang = () => (isPortuguese() ? "pt" : "en");

export async function alerts(signal) {
  const one = parameter("id");
  if (one) return story(one, signal);
  const { since, until } = period();
  const { tenant, feature } = asked();
  const status = parameter("status", "all");
  const [rows, found] = await Promise.all([
    query("alerts", { since, until, status, tenant, feature, name: parameter("name"), lang: lang() }, signal),
    query("alert_names", {}, signal),
  ]);
  const names = [...new Set(found.map((row) => row.name).concat(parameter("name")))].filter(Boolean).sort();
  return [
    wide(
      t("alerts"),
      h(
        "div",
        { class: "row" },
        choice(t("status"), "status", [["all", t("all")], ["firing", name("status", "firing")], ["resolved", name("status", "resolved")]], status),
        choice(t("name"), "name", [["", t("all")], ...names.map((n) => [n, n])], parameter("name")),
      ),
      table(
        [
          { title: t("severity"), cell: (row) => badge(name("severity", row.severity), toneOf(row.severity)), sort: (row) => row.severity },
          { title: t("name"), prose: true, cell: (row) => [a(link("alerts", { id: row.alert_id }), row.name), h("div", {}, said(row.annotations.summary || "", 200))], sort: (row) => row.name },
          { title: t("status"), cell: (row) => badge(name("status", row.status), row.status === "firing" ? "bad" : "good"), sort: (row) => row.status },
          { title: t("started"), cell: (row) => when(row.starts), sort: (row) => row.starts },
          { title: t("lasted"), right: true, cell: (row) => minutes(lasted(row) / 60000), sort: lasted },
        ],
        rows,
        { caption: t("alerts"), none: t("no_alerts") },
      ),
    ),
  ];
}

const lasted = (row) => (row.ends ?? (row.status === "firing" ? Date.now() : row.updated)) - row.starts;

function choice(label, key, options, value) {
  return field(
    label,
    h(
      "select",
      { onchange: (event) => change({ [key]: event.target.value }) },
      options.map(([option, words]) => h("option", { value: option, selected: option === value }, words)),
    ),
  );
}

async function story(alertId, signal) {
  const versions = await query("alert", { id: alertId, lang: lang() }, signal);
  if (!versions.length) return [card(t("alerts"), empty(t("no_alerts")), a(link("alerts", { id: "" }), t("alerts")))];
  const [alert] = versions;
  const siblings = await query("alert_siblings", { fingerprint: alert.fingerprint }, signal);
  const evidence = JSON.parse(alert.evidence || "{}");
  const responses = evidence.response_ids ?? [];
  const words = alert.annotations;
  const facts = [
    [t("started"), when(alert.starts)],
    [t("ended"), alert.ends ? when(alert.ends) : "–"],
    [t("updated"), when(alert.updated)],
    [t("value"), decimal(alert.value, 6)],
    [t("expected"), decimal(alert.expected, 6)],
    [t("threshold"), decimal(alert.threshold, 6)],
  ];
  return [
    h(
      "section",
      { class: "card wide" },
      h("p", {}, a(link("alerts", { id: "" }), `← ${t("alerts")}`)),
      h(
        "h2",
        {},
        badge(name("severity", alert.severity), toneOf(alert.severity)), " ",
        badge(name("status", alert.status), alert.status === "firing" ? "bad" : "good"), " ",
        alert.name,
      ),
      h("p", { class: "lead" }, said(words.summary || "", 600)),
      words.description ? h("p", {}, said(words.description, 2000)) : null,
      part(t("impact"), words.impact),
      part(t("cause"), words.cause),
      part(t("action"), words.action),
      runbook(words.runbook_url, alert.name),
      words.inhibited_by ? h("p", { class: "hint" }, t("inhibited")) : null,
      words.silenced_by ? h("p", { class: "hint" }, t("silenced")) : null,
    ),
    card(t("evidence"),
      h("dl", {}, facts.map(([key, value]) => [h("dt", {}, key), h("dd", {}, value)])),
      responses.length
        ? h("ul", { class: "list" }, responses.slice(0, 20).map((one) => h("li", {}, a(link("call", { id: one }, false), said(one, 60)))))
        : null,
      h("p", {}, a(link("calls", { ...labelled(alert), range: "", since: Math.floor(alert.starts / 1000) - 600, until: Math.floor((alert.ends ?? alert.updated) / 1000) + 60 }), t("see_calls"))),
      rest(evidence),
    ),
    card(t("labels"), h("dl", {}, Object.entries(alert.labels).map(([key, value]) => [h("dt", {}, key), h("dd", {}, said(value))]),
      Object.entries(words).filter(([key]) => !OWN.has(key)).map(([key, value]) => [h("dt", {}, said(key)), h("dd", {}, said(value, 400))]))),
    card(t("life"), life(versions)),
    card(t("silence"), silenceForm(alert)),
    card(t("others"),
      table(
        [
          { title: t("started"), cell: (row) => a(link("alerts", { id: row.alert_id }), when(row.starts)) },
          { title: t("ended"), cell: (row) => when(row.ends) },
          { title: t("severity"), cell: (row) => name("severity", row.severity) },
          { title: t("status"), cell: (row) => name("status", row.status) },
        ],
        siblings.filter((row) => row.alert_id !== alert.alert_id),
        { caption: t("others"), none: t("others_none") },
      )),
  ];
}

const labelled = (alert) =>
  Object.fromEntries(["tenant", "feature", "model", "provider", "user"].map((key) => [key, alert.labels[key] || ""]));

const part = (title, text) => (text ? h("p", {}, h("strong", {}, `${title}: `), said(text, 2000)) : null);

// Only addresses of the web are links; others are shown as they are.
function runbook(url, alertName) {
  if (!url) return null;
  const web = /^https?:\/\//.test(url);
  return h("p", {}, h("strong", {}, `${t("runbook")}: `),
    web ? h("a", { href: url, rel: "noreferrer noopener", target: "_blank" }, alertName) : said(url, 300));
}

function rest(evidence) {
  const others = Object.entries(evidence).filter(([key, value]) => key !== "response_ids" && key !== "facts" && value !== "" && value !== null);
  return others.length
    ? h("dl", {}, others.map(([key, value]) => [h("dt", {}, said(key)), h("dd", {}, said(typeof value === "string" ? value : JSON.stringify(value), 400))]))
    : null;
}

function life(versions) {
  return h(
    "ol",
    { class: "life" },
    versions.map((row) =>
      h("li", {}, when(row.updated), " ", badge(name("status", row.status), row.status === "firing" ? "bad" : "good"), " ", said(row.annotations.summary || "", 200)),
    ),
  );
}

function silenceForm(alert) {
  const lasts = h("input", { value: "1h", required: true, size: 8 });
  const reason = h("input", { required: true, minlength: 3, placeholder: t("reason_hint") });
  const secret = h("input", { type: "password", autocomplete: "off", value: token.get(), required: true });
  const said_ = h("p", { role: "status" });
  const matchers = { alertname: alert.name, ...alert.labels };
  return h(
    "form",
    {
      onsubmit: async (event) => {
        event.preventDefault();
        token.set(secret.value);
        try {
          const done = await post("/api/silences", { matchers, lasts: lasts.value, reason: reason.value });
          fill(said_, t("silence_done", { time: new Date(done.until * 1000).toLocaleString() }));
          announce(said_.textContent);
        } catch (error) {
          fill(said_, error.message);
        }
      },
    },
    h("p", { class: "hint" }, Object.entries(matchers).map(([key, value]) => [id(`${key}=${value}`), " "])),
    field(t("silence_for"), lasts),
    field(t("reason"), reason),
    field(t("token"), secret),
    h("p", { class: "hint" }, t("token_hint")),
    h("button", {}, t("silence")),
    said_,
  );
}
