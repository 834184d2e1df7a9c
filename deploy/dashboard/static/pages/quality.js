// Whether users are satisfied, what guards found, and what has drifted.
import { get, query } from "../api.js";
import { curve, evenly, stepOf } from "../charts.js";
import { fill, h, long, said } from "../dom.js";
import { count, share } from "../format.js";
import { name, t } from "../i18n.js";
import { a, badge, card, empty, later, table, when, wide, widened } from "../parts.js";
import { asked, link, period } from "../state.js";

export async function quality(signal) {
  const { since, until } = period();
  const { tenant, feature, model } = asked();
  const span = { since, until };
  const about = get("/api/about", {}, signal);
  const series = { ...span, tenant, feature, model };
  const labels = query("satisfaction", series, signal);
  const both = Promise.all([
    query("drift", { ...span, feature, model }, signal),
    query("drift_watched", span, signal),
  ]);
  return [
    later(t("satisfaction"), Promise.all([about, labels]), ([{ labels: on }, rows]) =>
      widened(satisfactionCard(on, rows.filter((row) => row.over_time)))),
    later(bySeries(), labels, (rows) => wide(bySeries(), satisfactionTable(rows.filter((row) => !row.over_time)))),
    later(t("label_quality"), query("label_quality", { ...span, tenant, feature }, signal), (rows) =>
      wide(t("label_quality"), labelsTable(rows))),
    later(t("guards"), query("guards", series, signal), (rows) => wide(t("guards"), guardsTable(rows))),
    later(t("drift"), both, ([drift, watched]) =>
      wide(
        t("drift"),
        watched.length ? h("p", { class: "hint" }, t("drift_watching", { n: watched.length })) : null,
        drift.length ? drift.map((row) => driftPart(row)) : empty(t("no_drift")),
      )),
  ];
}

const bySeries = () => `${t("satisfaction")} · ${t("feature")}, ${t("model")}`;

function satisfactionCard(on, rows) {
  if (!rows.length) return card(t("satisfaction"), empty(on ? t("satisfaction_none") : t("satisfaction_off")));
  const { since, until } = period();
  const step = stepOf(until - since);
  const even = evenly(rows, step, since, until, (row, key) => row?.[key]);
  return curve(t("satisfaction"), even.times, [{ label: t("satisfaction"), values: even.of("satisfaction"), format: share, colour: "--good" }], { step });
}

function satisfactionTable(rows) {
  return table(
    [
      { title: t("feature"), cell: (row) => a(link("quality", { feature: row.feature }), said(row.feature || t("empty_value"))), sort: (row) => row.feature },
      { title: t("model"), cell: (row) => said(row.model), sort: (row) => row.model },
      { title: t("satisfaction"), right: true, cell: (row) => share(row.satisfaction), sort: (row) => row.satisfaction },
      { title: t("answers"), right: true, cell: (row) => count(row.answers), sort: (row) => row.answers },
      { title: t("positive"), right: true, cell: (row) => share(row.positive / row.answers), sort: (row) => row.positive / row.answers },
      { title: t("negative"), right: true, cell: (row) => share(row.negative / row.answers), sort: (row) => row.negative / row.answers },
      { title: t("explicit"), right: true, cell: (row) => count(row.explicit), sort: (row) => row.explicit },
    ],
    rows,
    { caption: t("satisfaction"), none: t("satisfaction_none") },
  );
}

// Fewer feedbacks say nothing of how well labels foretell them.
const LEAST_FEEDBACKS = 20;

function labelsTable(rows) {
  const told = (row, of) => (row.recent < LEAST_FEEDBACKS ? "–" : of());
  return table(
    [
      { title: t("tenant"), cell: (row) => said(row.tenant), sort: (row) => row.tenant },
      { title: t("feature"), cell: (row) => a(link("quality", { feature: row.feature }), said(row.feature || t("empty_value"))), sort: (row) => row.feature },
      { title: t("label_auc"), right: true, cell: (row) => told(row, () => (row.auc === null ? "–" : share(row.auc))), sort: (row) => row.auc },
      { title: t("label_calibration"), right: true, cell: (row) => told(row, () => share(row.calibration)), sort: (row) => row.calibration },
      { title: t("label_log_loss"), right: true, cell: (row) => told(row, () => row.log_loss.toFixed(2)), sort: (row) => row.log_loss },
      { title: t("explicit"), right: true, cell: (row) => count(row.feedbacks), sort: (row) => row.feedbacks },
    ],
    rows,
    { caption: t("label_quality"), none: t("label_quality_none") },
  );
}

function guardsTable(rows) {
  const part = (row, n, of, flags) => (n ? a(link("calls", { feature: row.feature, ...flags }), `${count(n)} (${share(n / of)})`) : "0");
  return table(
    [
      { title: t("feature"), cell: (row) => said(row.feature || t("empty_value")), sort: (row) => row.feature },
      { title: t("calls"), right: true, cell: (row) => count(row.calls), sort: (row) => row.calls },
      { title: t("refusals"), right: true, cell: (row) => part(row, row.refusals, row.calls, { outcome: "refusal" }), sort: (row) => row.refusals / row.calls },
      { title: t("invalid"), right: true, cell: (row) => (row.checked ? part(row, row.invalid, row.checked, { flag: "invalid" }) : "–"), sort: (row) => row.invalid },
      { title: t("attacks"), right: true, cell: (row) => part(row, row.attacks, row.calls, { flag: "attack" }), sort: (row) => row.attacks },
      { title: t("personal"), right: true, cell: (row) => part(row, row.personal, row.calls, { flag: "personal" }), sort: (row) => row.personal },
    ],
    rows,
    { caption: t("guards"), none: t("no_data") },
  );
}

function driftPart(row) {
  const detail = parsed(row.detail);
  const sides = h("div", { class: "sides" });
  const ids = { before: names(detail.before), after: names(detail.after) };
  const terms = [detail.terms].flat().filter(Boolean).slice(0, 16);
  const show = h(
    "button",
    {
      type: "button",
      onclick: async () => {
        const [before, after] = await Promise.all([texts(ids.before, row), texts(ids.after, row)]);
        fill(sides, side(t("example_before"), before), side(t("example_after"), after));
        show.remove();
      },
    },
    t("examples"),
  );
  return h(
    "article",
    { class: "drift" },
    h("h3", {}, said(`${row.feature || t("empty_value")} · ${row.model}`), " ", badge(name("cause", row.cause), "warn")),
    h(
      "p",
      {},
      `${t("since")} `,
      when(Date.parse(detail.change_point) || row.seen),
      ` · ${t("metrics")}: `,
      said(row.metrics.map((metric) => name("metric", metric)).join(", ")),
      ` · ${t("reference_against", { current: count(row.current_n), reference: count(row.reference_n) })}`,
    ),
    terms.length ? h("p", { class: "hint" }, said(terms.map((term) => (typeof term === "object" ? JSON.stringify(term) : term)).join(" · "), 400)) : null,
    ids.before.length || ids.after.length ? show : null,
    sides,
  );
}

const parsed = (text) => {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    return {};
  }
};

const names = (list) => [list].flat().filter((one) => typeof one === "string").slice(0, 3);

async function texts(ids, row) {
  if (!ids.length) return [];
  const span = { since: Math.floor(row.seen / 1000) - 31 * 86400, until: Math.floor(row.last / 1000) + 86400 };
  return query("texts", { ids: ids.join("\n"), ...span });
}

const side = (title, rows) =>
  h(
    "div",
    {},
    h("h4", {}, title),
    rows.length
      ? rows.map((row) => h("div", {}, a(link("call", { id: row.response_id }, false), said(row.response_id, 40)), long(row.output, t("more"))))
      : empty(t("no_calls")),
  );
