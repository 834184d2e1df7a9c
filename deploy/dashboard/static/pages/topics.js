// What users talk about: how often, at what cost, and how well it goes.
import { get, query } from "../api.js";
import { said } from "../dom.js";
import { count, millis, share, usd } from "../format.js";
import { t } from "../i18n.js";
import { a, badge, empty, later, table, when, wide } from "../parts.js";
import { asked, link, period } from "../state.js";

const OTHER = "__other__";

export async function topics(signal) {
  const { since, until } = period();
  const { tenant, feature } = asked();
  const about = get("/api/about", {}, signal);
  const found = query("topics", { since, until, tenant, feature }, signal);
  return [
    later(t("topics"), Promise.all([about, found]), ([{ topics: on }, rows]) =>
      wide(t("topics"), rows.length ? topicsTable(rows, since) : empty(on ? t("topics_none") : t("topics_off")))),
  ];
}

function topicsTable(rows, since) {
  const part = (row, n) => (n ? share(n / row.requests) : "0");
  return table(
    [
      { title: t("feature"), cell: (row) => a(link("topics", { feature: row.feature }), said(row.feature || t("empty_value"))), sort: (row) => row.feature },
      { title: t("topic"), cell: (row) => [said(named(row)), ...(first(row) >= since * 1000 ? [" ", badge(t("new"), "warn")] : [])], sort: named },
      { title: t("requests"), right: true, cell: (row) => count(row.requests), sort: (row) => row.requests },
      { title: t("cost"), right: true, cell: (row) => usd(row.cost_usd), sort: (row) => row.cost_usd },
      { title: t("refusals"), right: true, cell: (row) => part(row, row.refusals), sort: (row) => row.refusals / row.requests },
      { title: t("topic_errors"), right: true, cell: (row) => part(row, row.errors), sort: (row) => row.errors / row.requests },
      { title: t("satisfaction"), right: true, cell: (row) => (row.satisfaction === null ? "–" : share(row.satisfaction)), sort: (row) => row.satisfaction },
      { title: `${t("latency")} ${t("p99")}`, right: true, cell: (row) => (row.latency_p99_ms === null ? "–" : millis(row.latency_p99_ms)), sort: (row) => row.latency_p99_ms },
      { title: t("since"), cell: (row) => (first(row) ? when(first(row)) : "–"), sort: first },
      { title: t("examples"), cell: examples },
    ],
    rows,
    { caption: t("topics"), none: t("topics_none") },
  );
}

const named = (row) => (row.topic_id === OTHER ? t("topic_other") : row.topic || row.topic_id);

// 0 of what is no topic.
const first = (row) => Date.parse(row.first_seen);

const examples = (row) =>
  row.example_response_ids.slice(-2).flatMap((id, n) => [n ? " " : null, a(link("call", { id }, false), said(id, 16))]);
