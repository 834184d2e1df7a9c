// Prompt versions in use, shadows beside live calls, and what a cache would save.
import { query } from "../api.js";
import { h, said } from "../dom.js";
import { count, decimal, millis, share, usd } from "../format.js";
import { name, t } from "../i18n.js";
import { a, badge, id, table, when, wide } from "../parts.js";
import { asked, link } from "../state.js";

export async function prompts(signal) {
  const [versions, files, verdicts, cache] = await Promise.all([
    query("prompts", asked(), signal),
    query("prompt_files", {}, signal),
    query("shadow_verdicts", {}, signal),
    query("cache", {}, signal),
  ]);
  const commits = new Map();
  for (const file of files) {
    commits.set(file.blob_sha, file);
    commits.set(file.commit_sha, file);
  }
  const known = (sha) => commits.get(sha) ?? [...commits].find(([full]) => sha.length >= 7 && full.startsWith(sha))?.[1];
  return [
    wide(t("prompts"),
      files.length ? null : h("p", { class: "hint" }, t("prompts_sync")),
      table(
        [
          { title: t("feature"), cell: (row) => said(row.feature || t("empty_value")), sort: (row) => row.feature },
          { title: t("prompt_sha"), cell: (row) => a(link("calls", { prompt_sha: row.prompt_sha, feature: row.feature }), id(row.prompt_sha.slice(0, 12))) },
          { title: t("prompt_files"), cell: (row) => { const file = known(row.prompt_sha); return file ? said(file.path) : files.length ? badge(t("not_committed"), "warn") : "–"; } },
          { title: t("first_seen"), cell: (row) => when(row.first * 1000), sort: (row) => row.first },
          { title: t("last_seen"), cell: (row) => when(row.last * 1000), sort: (row) => row.last },
          { title: t("requests"), right: true, cell: (row) => count(row.requests), sort: (row) => row.requests },
          { title: t("failed"), right: true, cell: (row) => share(row.failed / row.requests), sort: (row) => row.failed / row.requests },
          { title: t("cost"), right: true, cell: (row) => usd(row.cost_usd), sort: (row) => row.cost_usd },
          { title: t("p99"), right: true, cell: (row) => millis(row.latency_p99_ms), sort: (row) => row.latency_p99_ms },
        ],
        versions,
        { caption: t("prompts"), none: t("prompts_none") },
      )),
    wide(t("shadows"),
      table(
        [
          { title: t("feature"), cell: (row) => said(row.feature) },
          { title: t("comparison"), cell: (row) => said(`${row.variant}: ${row.model} @ ${row.prompt_sha.slice(0, 8)} / ${row.live_model} @ ${row.live_prompt_sha.slice(0, 8)}`, 120) },
          { title: t("metric"), cell: (row) => said(name("metric", row.metric)) },
          { title: t("difference"), right: true, cell: (row) => `${decimal(row.difference, 4)} [${decimal(row.low, 4)}, ${decimal(row.high, 4)}]` },
          { title: t("pairs"), right: true, cell: (row) => count(row.pairs) },
          { title: t("verdict"), cell: (row) => badge(name("verdict", row.verdict), row.verdict === "worse" ? "bad" : row.verdict === "better" ? "good" : "") },
        ],
        verdicts,
        { caption: t("shadows"), none: t("shadows_none") },
      )),
    wide(t("cache"),
      table(
        [
          { title: t("question_group"), cell: (row) => (row.response_ids[0] ? a(link("call", { id: row.response_ids[0] }, false), said(row.question, 100)) : said(row.question, 100)) },
          { title: t("feature"), cell: (row) => said(row.feature) },
          { title: t("requests"), right: true, cell: (row) => count(row.requests), sort: (row) => row.requests },
          { title: t("users"), right: true, cell: (row) => count(row.users), sort: (row) => row.users },
          { title: t("cost"), right: true, cell: (row) => usd(row.usd), sort: (row) => row.usd },
          { title: "", cell: (row) => (row.answers_differ ? badge(t("differ"), "warn") : "") },
        ],
        cache,
        { caption: t("cache"), none: t("cache_none") },
      )),
  ];
}
