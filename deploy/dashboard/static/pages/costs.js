// Who spends, and what changed.
import { query } from "../api.js";
import { curve, evenly, stepOf } from "../charts.js";
import { h, said } from "../dom.js";
import { count, millis, share, usd } from "../format.js";
import { t } from "../i18n.js";
import { a, badge, bar, field, figure, later, table, wide, widened } from "../parts.js";
import { asked, change, link, parameter, period } from "../state.js";
import { nothing } from "./now.js";

const BY = ["feature", "model", "tenant", "provider", "environment", "prompt_sha", "variant"];

export async function costs(signal) {
  const { since, until } = period();
  const by = BY.includes(parameter("by")) ? parameter("by") : "feature";
  const all = asked();
  const earlier = { ...all, since: Math.max(0, 2 * since - until), until: since };
  const sums = Promise.all([
    query("breakdown", { ...all, by }, signal),
    query("spent", { ...earlier, by }, signal),
    query("curve_by", { ...all, by }, signal),
  ]);
  const users = later(t("top_users"), query("users", all, signal), (found) => wide(t("top_users"), usersTable(found)));
  const [[sum, ...rows], [was, ...old], points] = await sums;
  if (!sum) return [await nothing(signal)];
  const before = new Map(old.map((row) => [row.value, row]));
  return [
    h(
      "div",
      { class: "figures wide" },
      figure(t("cost"), usd(sum.cost_usd), { hint: changeOf(sum.cost_usd, was?.cost_usd), title: t("compared") }),
      figure(t("requests"), count(sum.requests), { hint: changeOf(sum.requests, was?.requests), title: t("compared") }),
      figure(t("tokens_in"), count(sum.input_tokens), { hint: `${share(sum.cache_read_tokens / (sum.input_tokens || 1))} ${t("cached")}` }),
      figure(t("tokens_out"), count(sum.output_tokens)),
      figure(t("cost_per_in"), usd((1000 * sum.cost_usd) / sum.input_tokens), { title: t("cost_per_hint") }),
      figure(t("cost_per_out"), usd((1000 * sum.cost_usd) / sum.output_tokens), { title: t("cost_per_hint") }),
      figure(t("cost_per_call"), usd(sum.cost_usd / sum.requests), { hint: changeOf(sum.cost_usd / sum.requests, was ? was.cost_usd / was.requests : 0), title: t("compared") }),
      figure(t("calls_unpriced"), count(sum.unpriced), { tone: sum.unpriced ? "warn" : "", href: link("calls", { flag: "unpriced" }) }),
    ),
    widened(byCurve(points, by)),
    wide(
      t("breakdown"),
      h(
        "div",
        { class: "row" },
        field(
          t("by"),
          h(
            "select",
            { onchange: (event) => change({ by: event.target.value }) },
            BY.map((one) => h("option", { value: one, selected: one === by }, t(one))),
          ),
        ),
      ),
      h("p", { class: "hint" }, `${t("change")}: ${t("compared")}.`),
      breakdown(rows, before, by, sum),
    ),
    users,
  ];
}

export function changeOf(value, before) {
  if (!before) return value ? t("new") : "";
  const by = value / before - 1;
  return `${by >= 0 ? "▲" : "▼"} ${share(Math.abs(by))}`;
}

function byCurve(points, by) {
  const { since, until } = period();
  const step = stepOf(until - since);
  const sums = new Map();
  for (const point of points) sums.set(point.value, (sums.get(point.value) ?? 0) + point.cost_usd);
  const top = [...sums].sort((x, y) => y[1] - x[1]).slice(0, 7).map(([value]) => value);
  const lines = top.map((value) => {
    const even = evenly(points.filter((p) => p.value === value), step, since, until, (row, key) => row?.[key]);
    return { label: value || t("empty_value"), values: even.of("cost_usd", 0), format: usd };
  });
  const { times } = evenly([], step, since, until, () => null);
  return curve(`${t("cost")} · ${t(by)}`, times, lines, { step, stacked: true });
}

// A cost that nobody knows is not 0.
const priced = (row) => row.unpriced < row.requests;

// A row leads to the same page for this value alone, or to its calls where no filter has it.
function breakdown(rows, before, by, sum) {
  const filter = ["feature", "model", "tenant", "provider"].includes(by);
  const to = (value) => (filter ? link("costs", { [by]: value, by: by === "feature" ? "model" : "feature" }) : by === "prompt_sha" ? link("calls", { prompt_sha: value }) : "");
  return table(
    [
      { title: t(by), cell: (row) => (to(row.value) && row.value ? a(to(row.value), said(row.value)) : said(row.value || t("empty_value"))), sort: (row) => row.value },
      { title: t("cost"), right: true, cell: (row) => (priced(row) ? usd(row.cost_usd) : badge(t("unpriced"), "warn")), sort: (row) => row.cost_usd },
      { title: t("share_of"), cell: (row) => bar(sum.cost_usd ? row.cost_usd / sum.cost_usd : 0, "", `${row.value}: ${share(row.cost_usd / (sum.cost_usd || 1))}`), sort: (row) => row.cost_usd },
      { title: t("change"), right: true, cell: (row) => changeOf(row.cost_usd, before.get(row.value)?.cost_usd), sort: (row) => row.cost_usd - (before.get(row.value)?.cost_usd ?? 0) },
      { title: t("requests"), right: true, cell: (row) => a(link("calls", filter ? { [by]: row.value } : {}), count(row.requests)), sort: (row) => row.requests },
      { title: t("error_rate"), right: true, cell: (row) => share((row.requests - row.ok) / row.requests), sort: (row) => (row.requests - row.ok) / row.requests },
      { title: t("cost_per_in"), right: true, cell: (row) => usd(row.input_tokens && priced(row) ? (1000 * row.cost_usd) / row.input_tokens : null), sort: (row) => row.cost_usd / row.input_tokens },
      { title: t("cost_per_out"), right: true, cell: (row) => usd(row.output_tokens && priced(row) ? (1000 * row.cost_usd) / row.output_tokens : null), sort: (row) => row.cost_usd / row.output_tokens },
      { title: t("p99"), right: true, cell: (row) => millis(row.latency_p99_ms), sort: (row) => row.latency_p99_ms },
    ],
    rows,
    { caption: t("breakdown"), none: t("no_data") },
  );
}

function usersTable(rows) {
  return table(
    [
      { title: t("user"), cell: (row) => a(link("calls", { user: row.value }), said(row.value, 40)) },
      { title: t("cost"), right: true, cell: (row) => usd(row.usd), sort: (row) => row.usd },
      { title: t("requests"), right: true, cell: (row) => count(row.requests), sort: (row) => row.requests },
      { title: t("failed"), right: true, cell: (row) => count(row.failed), sort: (row) => row.failed },
      { title: t("tokens"), right: true, cell: (row) => count((row.input_tokens ?? 0) + (row.output_tokens ?? 0)), sort: (row) => row.input_tokens },
    ],
    rows.slice(0, 20),
    { caption: t("top_users"), none: t("no_data") },
  );
}
