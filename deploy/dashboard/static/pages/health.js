// Whether Mirante itself is well, and what it could not use.
import { get, query } from "../api.js";
import { h, said } from "../dom.js";
import { count, seconds } from "../format.js";
import { name, t } from "../i18n.js";
import { a, badge, empty, figure, later, table, when, wide } from "../parts.js";
import { link, period } from "../state.js";

export async function health(signal) {
  const { since, until } = period();
  const first = Promise.all([get("/api/workers", {}, signal), query("dead_letters", {}, signal)]);
  const unpriced = later(t("unpriced_title"), query("unpriced", { since, until }, signal), (rows) => wide(t("unpriced_title"), unpricedTable(rows)));
  const [{ workers }, letters] = await first;
  const sum = (key) => workers.reduce((all, worker) => all + (worker.metrics?.[key] ?? 0), 0);
  const delays = sum("mirante_delay_seconds_count");
  return [
    h(
      "div",
      { class: "figures wide" },
      figure(t("workers"), `${workers.filter((one) => one.ready).length} / ${workers.length}`, { tone: workers.every((one) => one.ready) ? "" : "bad" }),
      figure(t("lag"), workers.some((one) => one.metrics) ? count(sum("mirante_lag")) : "–"),
      figure(t("delay"), delays ? seconds(Math.round((10 * sum("mirante_delay_seconds_sum")) / delays) / 10) : "–"),
      figure(t("dead_letters"), count(letters.reduce((all, row) => all + row.events, 0)), { tone: letters.length ? "warn" : "" }),
    ),
    wide(t("workers"), workers.length ? h("ul", { class: "list" }, workers.map(workerPart)) : empty(t("no_workers"))),
    wide(t("dead_letters"),
      table(
        [
          { title: t("topic"), cell: (row) => said(row.topic) },
          { title: t("reason"), cell: (row) => said(row.reason, 300) },
          { title: t("events"), right: true, cell: (row) => count(row.events), sort: (row) => row.events },
          { title: t("last"), cell: (row) => when(row.last), sort: (row) => row.last },
        ],
        letters,
        { caption: t("dead_letters"), none: t("dead_none") },
      )),
    unpriced,
  ];
}

const unpricedTable = (rows) =>
  table(
    [
      { title: t("provider"), cell: (row) => said(row.provider || "–") },
      { title: t("model"), cell: (row) => a(link("calls", { model: row.model, flag: "unpriced" }), said(row.model)) },
      { title: t("price"), cell: (row) => said(name("cost_source", row.cost_source)) },
      { title: t("calls"), right: true, cell: (row) => count(row.calls), sort: (row) => row.calls },
      { title: t("tokens"), right: true, cell: (row) => count(row.tokens), sort: (row) => row.tokens },
      { title: t("since"), cell: (row) => when(row.first) },
    ],
    rows,
    { caption: t("unpriced_title"), none: t("unpriced_none") },
  );

const workerPart = (worker) =>
  h("li", {}, badge(worker.ready ? t("ready") : t("not_ready"), worker.ready ? "good" : "bad"), " ", said(worker.url),
    worker.metrics ? h("div", { class: "hint" }, `${t("lag")}: ${count(worker.metrics.mirante_lag ?? 0)}`) : null,
    (worker.problems ?? []).map((problem) => h("div", {}, said(problem, 300))));
