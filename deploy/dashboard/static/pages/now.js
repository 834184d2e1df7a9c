// What it costs and how it behaves at this moment.
import { get, query } from "../api.js";
import { curve, evenly, stepOf } from "../charts.js";
import { h, said } from "../dom.js";
import { count, millis, minutes, share, usd } from "../format.js";
import { isPortuguese, name, t } from "../i18n.js";
import { a, badge, bar, card, copyable, empty, figure, later, table, toneOf, when } from "../parts.js";
import { asked, go, link, period } from "../state.js";

export const OUTCOMES = [
  ["ok", "--good"], ["refusal", "--c4"], ["content_filter", "--c6"], ["truncated", "--c5"],
  ["api_error", "--bad"], ["timeout", "--c7"], ["cancelled", "--c8"], ["blocked", "--c9"],
  ["unanswered", "--c3"],
];

export async function now(signal) {
  const { since, until, live, range } = period();
  const all = asked();
  const at = live ? "" : until;
  const day = until - (until % 86400);
  // To the end of the minute, so that within one nobody asks again.
  const today = { ...all, since: day === until ? until - 86400 : day, until: Math.ceil(until / 60) * 60 };
  const figures = Promise.all([
    query("totals", all, signal),
    query("spent", today, signal),
    query("curve", all, signal),
    query("alerts", { since, until, status: "firing", tenant: all.tenant, feature: all.feature, lang: isPortuguese() ? "pt" : "en" }, signal),
  ]);
  const budgets = later(t("budgets"), get("/api/budgets", { at }, signal), budgetsCard, card);
  const learning = later(t("learning"), get("/api/learning", { at }, signal), ({ series }) => learningCard(series), card);
  const [totals, spent, points, firing] = await figures;
  const total = totals[0];
  if (!total?.requests) return [await nothing(signal), alertsCard(firing), budgets];
  const dayCost = spent[0]?.cost_usd ?? 0;
  const recent = points.filter((p) => p.t >= until - 3600);
  const pace = recent.reduce((sum, p) => sum + p.cost_usd, 0) / Math.min(3600, until - since);
  const midnight = dayCost + pace * (86400 - ((until - 1) % 86400) - 1);
  return [
    h(
      "div",
      { class: "figures wide" },
      figure(t("spend_today"), usd(dayCost), { hint: t("projection", { value: usd(midnight) }), href: link("costs", { range: "today", since: "", until: "" }) }),
      figure(t("spend"), usd(total.cost_usd), { hint: total.unpriced ? `${count(total.unpriced)} ${t("unpriced")}` : range === "custom" ? "" : t(`range.${range}`), tone: total.unpriced ? "warn" : "", href: link("costs") }),
      figure(t("requests"), count(total.requests), { href: link("calls") }),
      figure(t("failed"), share((total.requests - total.ok) / total.requests), { tone: tone(total), href: link("quality") }),
      figure(`${t("latency")} ${t("p99")}`, millis(total.latency_p99_ms), { hint: `${t("p50")} ${millis(total.latency_p50_ms)}`, href: link("calls", { order: "slowest" }) }),
      figure(`${t("ttft")} ${t("p99")}`, millis(total.ttft_p99_ms), { hint: `${t("p50")} ${millis(total.ttft_p50_ms)}` }),
      figure(t("cost_per_in"), usd(per(total.cost_usd, total.input_tokens)), { title: t("cost_per_hint"), hint: `${count(total.input_tokens)} ${t("of_tokens")}` }),
      figure(t("cost_per_out"), usd(per(total.cost_usd, total.output_tokens)), { title: t("cost_per_hint"), hint: `${count(total.output_tokens)} ${t("of_tokens")}` }),
    ),
    alertsCard(firing),
    budgets,
    ...curves(points),
    outcomesCard(total),
    learning,
  ];
}

const per = (cost, tokens) => (tokens ? (1000 * cost) / tokens : null);

const tone = (total) => {
  const failed = (total.requests - total.ok) / total.requests;
  return failed > 0.2 ? "bad" : failed > 0.05 ? "warn" : "";
};

export function curves(points) {
  const { since, until } = period();
  const step = stepOf(until - since);
  const even = evenly(points, step, since, until, (row, key) => row?.[key]);
  const outcomes = OUTCOMES.filter(([outcome]) => points.some((p) => p[outcome]));
  return [
    curve(t("curve_cost"), even.times, [{ label: t("cost"), values: even.of("cost_usd", 0), format: usd, colour: "--accent" }], { step }),
    curve(
      t("curve_requests"),
      even.times,
      outcomes.map(([outcome, colour]) => ({ label: name("outcome", outcome), values: even.of(outcome, 0), format: count, colour })),
      { step, stacked: true },
    ),
    curve(t("curve_latency"), even.times, [
      { label: t("p50"), values: even.of("latency_p50_ms"), format: millis, colour: "--c2" },
      { label: t("p99"), values: even.of("latency_p99_ms"), format: millis, colour: "--accent" },
    ], { step, filters: { order: "slowest" } }),
    curve(t("curve_ttft"), even.times, [
      { label: t("p50"), values: even.of("ttft_p50_ms"), format: millis, colour: "--c2" },
      { label: t("p99"), values: even.of("ttft_p99_ms"), format: millis, colour: "--accent" },
    ], { step }),
  ];
}

// Why there is nothing, and what to do about it.
export async function nothing(signal) {
  const [bounds] = await query("bounds", {}, signal);
  if (!bounds?.any) {
    return card(t("no_data_at_all"), h("p", {}, t("data_hint")), h("p", {}, copyable("make run")));
  }
  const { since, until } = period();
  const newest = bounds.last;
  const show = () => go(link("now", { range: "", since: Math.max(bounds.first, newest - (until - since)), until: newest + 1 }));
  return card(
    t("no_data"),
    h("p", {}, t("newest_call", { time: new Date(newest * 1000).toLocaleString() })),
    h("button", { type: "button", onclick: show }, t("show_them")),
  );
}

export function alertsCard(rows) {
  const shown = [...rows].slice(0, 8);
  return card(
    t("firing"),
    shown.length
      ? h(
          "ul",
          { class: "list" },
          shown.map((row) =>
            h(
              "li",
              {},
              badge(name("severity", row.severity), toneOf(row.severity)),
              " ",
              a(link("alerts", { id: row.alert_id }), said(row.annotations.summary || row.name, 160)),
              h("div", { class: "hint" }, row.name, " · ", when(row.starts)),
            ),
          ),
        )
      : empty(t("none_firing")),
    rows.length > shown.length ? a(link("alerts", { status: "firing" }), `${rows.length} …`) : null,
  );
}

function budgetsCard({ budgets, problem }) {
  if (problem) return card(t("budgets"), h("p", { role: "alert" }, problem));
  const amount = (budget, value) => (budget.unit === "usd" ? usd(value) : `${count(value)} ${budget.unit}`);
  return card(
    t("budgets"),
    budgets.length
      ? h(
          "ul",
          { class: "list" },
          budgets.map((budget) => {
            const used = budget.used / budget.limit;
            const colour = used >= 1 ? "bad" : budget.projected > budget.limit ? "warn" : "";
            const group = Object.values(budget.group).join(" · ");
            return h(
              "li",
              {},
              h("div", { class: "row" }, h("strong", {}, said(group ? `${budget.name} · ${group}` : budget.name)),
                used >= 1 ? badge(t("over"), "bad") : null),
              bar(used, colour, budget.name),
              h("div", { class: "hint" },
                t("budget_of", { used: amount(budget, budget.used), limit: amount(budget, budget.limit) }), " ",
                t("per_window", { window: name("window", budget.window) }), " · ",
                t("projected", { value: amount(budget, budget.projected) })),
            );
          }),
        )
      : empty(t("no_budgets")),
  );
}

function outcomesCard(total) {
  const rows = OUTCOMES.map(([outcome]) => ({ outcome, calls: total[outcome] })).filter((row) => row.calls);
  return card(
    t("outcomes"),
    table(
      [
        { title: t("outcome"), cell: (row) => a(link("calls", { outcome: row.outcome }), name("outcome", row.outcome)) },
        { title: t("requests"), right: true, cell: (row) => count(row.calls), sort: (row) => row.calls },
        { title: t("share_of"), right: true, cell: (row) => share(row.calls / total.requests) },
      ],
      rows,
      { caption: t("outcomes") },
    ),
  );
}

function learningCard(series) {
  const still = series.filter((one) => Object.values(one.left).some((left) => left > 0));
  const detectors = Object.keys(still[0]?.left ?? {});
  return card(
    t("learning"),
    still.length ? h("p", { class: "hint" }, t("learning_hint")) : null,
    still.length
      ? table(
          [
            { title: t("feature"), cell: (one) => [said(one.feature || t("empty_value"), 40), h("div", { class: "hint" }, said(one.model, 40))], sort: (one) => one.feature },
            ...detectors.map((detector) => ({
              title: t(`detector.${detector}`),
              right: true,
              cell: (one) => (one.left[detector] > 0 ? minutes(one.left[detector]) : "✓"),
              sort: (one) => one.left[detector],
            })),
          ],
          still,
          { caption: t("learning") },
        )
      : empty(t("learning_none")),
  );
}
