// One call, or all of a session or trace: from the answer back to its cause.
import { get } from "../api.js";
import { h, long, said } from "../dom.js";
import { count, decimal, millis, share, usd } from "../format.js";
import { name, t } from "../i18n.js";
import { a, badge, card, copyable, empty, id, table, when, wide } from "../parts.js";
import { link, parameter } from "../state.js";
import { findForm, marks } from "./calls.js";

export async function call(signal) {
  const wanted = parameter("id");
  const search = wide(t("find_call"), findForm(wanted));
  if (!wanted) return [search];
  const story = await get("/api/story", { id: wanted }, signal);
  const many = story.calls.length > 1;
  return [
    search,
    many ? wide(t("of_session", { n: story.calls.length }), sessionTable(story.calls)) : null,
    ...(many ? [] : story.calls.flatMap(parts)),
    wide(t("steps"), story.steps.length ? tree(story.steps) : empty(t("no_trace"))),
    many && story.session_feedback.length ? card(t("feedback"), feedbackTable(story.session_feedback)) : null,
  ];
}

const time = (text) => Date.parse(text);

const sessionTable = (calls) =>
  table(
    [
      { title: t("time"), cell: (row) => a(link("call", { id: row.response_id || row.request_id }, false), when(time(row.time))) },
      { title: t("feature"), cell: (row) => said(row.feature) },
      { title: t("model"), cell: (row) => said(row.model) },
      { title: t("outcome"), cell: (row) => badge(name("outcome", row.outcome), row.outcome === "ok" ? "good" : "bad") },
      { title: t("cost"), right: true, cell: (row) => usd(row.cost_usd) },
      { title: t("latency"), right: true, cell: (row) => millis(row.latency_ms) },
      { title: t("answer"), cell: (row) => said(row.output || row.error_message || "", 120) },
      { title: t("label"), cell: (row) => row.labels.map((one) => badge(`${one.label} ${share(one.score)}`, labelTone(one.label))) },
    ],
    calls,
    { caption: t("session") },
  );

const labelTone = (label) => ({ positive: "good", negative: "bad" })[label] || "";

function parts(row) {
  const facts = [
    [t("time"), when(time(row.time))],
    [t("feature"), said(row.feature || "–")],
    [t("tenant"), said(row.tenant)],
    [t("model"), said(row.model === row.model_requested ? row.model : `${row.model_requested} → ${row.model}`)],
    [t("provider"), said(row.provider || "–")],
    [t("cost"), `${usd(row.cost_usd)} (${name("cost_source", row.cost_source)})`],
    [t("tokens_in"), `${count(row.input_tokens)}${row.cache_read_tokens ? ` (${count(row.cache_read_tokens)} ${t("cached")})` : ""}`],
    [t("tokens_out"), count(row.output_tokens)],
    [t("latency"), millis(row.latency_ms)],
    [t("ttft"), millis(row.ttft_ms)],
    [t("prompt"), row.prompt_sha || row.prompt_name ? a(link("calls", { prompt_sha: row.prompt_sha }), said(`${row.prompt_name} @ ${row.prompt_sha}`)) : "–"],
    [t("user"), row.user_id ? a(link("calls", { user: row.user_id }), said(row.user_id)) : "–"],
    [t("variant"), said(row.variant)],
    [t("environment"), said(row.environment || "–")],
  ];
  const ids = [
    ["response_id", row.response_id, false], ["request_id", row.request_id, false],
    ["session_id", row.session_id, true], ["trace_id", row.trace_id, true],
  ].filter(([, value]) => value);
  return [
    h(
      "section",
      { class: "card wide" },
      h("h2", {}, badge(name("outcome", row.outcome), row.outcome === "ok" ? "good" : "bad"), " ", said(row.feature || row.model), marks({ ...row, has_attack: filled(row.injection), has_pii: filled(row.pii) })),
      h("dl", { class: "facts" }, facts.map(([key, value]) => h("div", {}, h("dt", {}, key), h("dd", {}, value)))),
    ),
    card(t("question"),
      row.system_instructions ? h("details", {}, h("summary", {}, t("system")), long(row.system_instructions, t("more"))) : null,
      conversation(row.messages),
      filled(row.prompt_variables) ? detail(t("parameters"), row.prompt_variables) : null),
    card(t("answer"),
      row.output ? long(row.output, t("more")) : filled(row.tool_calls) ? null : empty(name("outcome", row.outcome)),
      row.json_error ? h("p", {}, badge(t("json_bad"), "warn"), " ", said(row.json_error, 300)) : null,
      row.error_type || row.error_message ? h("p", {}, h("strong", {}, `${t("error")}: `), said(`${row.error_type} ${row.error_code} ${row.error_message}`, 1000)) : null,
      row.finish_reason ? h("p", { class: "hint" }, "finish_reason: ", said(row.finish_reason)) : null,
      filled(row.tool_calls) ? detail(t("tool_calls"), row.tool_calls, true) : null),
    filled(row.documents) ? card(t("context"), row.documents.map(documentPart)) : null,
    card(t("parameters"),
      filled(row.params) ? long(JSON.stringify(row.params, null, 2), t("more")) : empty("–"),
      filled(row.tools) ? detail(t("tools"), row.tools) : null,
      row.output_schema ? detail(t("schema"), row.output_schema) : null,
      filled(row.rails) ? detail("rails", row.rails) : null,
      filled(row.injection) ? detail(t("injection_found"), row.injection, true) : null,
      filled(row.pii) ? detail(t("pii_masked"), row.pii) : null,
      filled(row.extra) ? detail("extra", row.extra) : null),
    card(t("identity"), h("dl", {}, ids.map(([key, value, story]) => [h("dt", {}, key), h("dd", {}, copyable(value), story ? [" ", a(link("call", { id: value }, false), "→")] : null)]))),
    card(t("feedback"),
      row.labels.length ? row.labels.map((one) => h("p", {}, h("strong", {}, `${t("label")}: `), badge(one.label, labelTone(one.label)), ` ${share(one.score)} `, said(signals(one), 300))) : null,
      row.feedback.length ? feedbackTable(row.feedback) : row.labels.length || row.evaluations.length ? null : empty("–"),
      row.evaluations.length ? table([
        { title: t("name"), cell: (one) => said(one.name) }, { title: t("value"), right: true, cell: (one) => decimal(one.score, 3) },
        { title: t("label"), cell: (one) => said(one.label) }, { title: "", cell: (one) => said(one.explanation, 300) },
      ], row.evaluations, { caption: t("evaluations") }) : null),
    row.alerts.length ? card(t("related_alerts"), h("ul", { class: "list" }, row.alerts.map((one) => h("li", {}, a(link("alerts", { id: one.alert_id }), said(one.annotations?.summary || one.name, 200)))))) : null,
    row.shadow_pairs?.length ? card(t("shadows"), row.shadow_pairs.map((one) => detail(`${one.variant} ${one.model}`, one))) : null,
  ];
}

const filled = (value) => Boolean(value && (Array.isArray(value) ? value.length : typeof value === "object" ? Object.keys(value).length : value));

const signals = (one) => {
  const list = typeof one.signals === "string" ? JSON.parse(one.signals || "[]") : (one.signals ?? []);
  return list.map((signal) => `${signal.kind} ${decimal(signal.weight, 1)}`).join(", ");
};

function conversation(messages) {
  if (!filled(messages)) return empty("–");
  const list = Array.isArray(messages) ? messages : [{ role: "", content: messages }];
  return h("div", { class: "conversation" }, list.map((message) =>
    h("div", { class: `message ${message.role === "user" ? "user" : ""}` },
      h("div", { class: "label" }, said(message.role || "")),
      long(typeof message.content === "string" ? message.content : JSON.stringify(message.content ?? message.tool_calls ?? "", null, 1), t("more")))));
}

const documentPart = (one) =>
  h("details", { open: true }, h("summary", {}, id(one.id || "document"), one.score !== undefined && one.score !== null ? ` ${decimal(one.score, 3)}` : "", one.index_version ? ` · ${one.index_version}` : ""), long(one.text ?? "", t("more")));

const detail = (title, value, open = false) =>
  h("details", { open }, h("summary", {}, title), long(typeof value === "string" ? value : JSON.stringify(value, null, 2), t("more")));

const feedbackTable = (rows) =>
  table([
    { title: t("time"), cell: (one) => when(time(one.time)) }, { title: t("name"), cell: (one) => said(one.kind) },
    { title: t("value"), right: true, cell: (one) => decimal(one.value, 2) }, { title: "", cell: (one) => said(one.comment, 400) },
  ], rows, { caption: t("feedback") });

// Steps under their parents, each with a bar that says when it ran within the whole.
function tree(roots) {
  const all = [];
  const walk = (step, depth) => {
    all.push([step, depth]);
    step.children.forEach((child) => walk(child, depth + 1));
  };
  roots.forEach((root) => walk(root, 0));
  const begin = Math.min(...all.map(([step]) => time(step.time)));
  const end = Math.max(...all.map(([step]) => time(step.time) + (step.latency_ms ?? 0)), begin + 1);
  return h("ol", { class: "steps" }, all.slice(0, 500).map(([step, depth]) => {
    const row = h("li", {},
      h("span", { class: "what" }, h("span", { class: `indent d${Math.min(depth, 8)}` }), badge(step.operation), " ",
        step.kind ? said(step.model, 50) : a(link("call", { id: step.response_id || step.request_id }, false), said(step.model || step.feature, 50))),
      span(step, begin, end),
      h("span", { class: "cost" }, `${millis(step.latency_ms)} · ${usd(step.total_cost_usd)}`));
    return row;
  }));
}

function span(step, begin, end) {
  const whole = end - begin;
  const x = (100 * (time(step.time) - begin)) / whole;
  const width = Math.max(0.6, (100 * (step.latency_ms ?? 0)) / whole);
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 100 10");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("class", `span ${step.outcome === "ok" ? "" : "bad"}`);
  svg.setAttribute("aria-hidden", "true");
  const rect = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  for (const [key, value] of Object.entries({ x, y: 1, width: Math.min(width, 100 - x), height: 8, rx: 1 })) rect.setAttribute(key, value);
  svg.append(rect);
  return svg;
}
