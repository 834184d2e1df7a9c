// Find calls.
import { fill, h, said } from "../dom.js";
import { count, millis, moment, usd } from "../format.js";
import { name, t } from "../i18n.js";
import { a, announce, badge, bar, field, table, when, wide } from "../parts.js";
import { Search } from "../search.js";
import { asked, change, go, link, parameter, remember } from "../state.js";
import { nothing, OUTCOMES } from "./now.js";

export async function calls(signal) {
  const wanted = Object.fromEntries(["outcome", "user", "prompt_sha", "flag", "text", "order"].map((key) => [key, parameter(key)]));
  const search = new Search({ ...asked(), ...wanted });
  await search.further(signal);
  const any = Object.values(wanted).some(Boolean);
  const found = searched(search, signal, any);
  return [wide(t("find_call"), findForm()), found, any ? null : whenNothing(found, search, signal)];
}

// What has been found so far, how far back it has been looked for, and a button to stop there.
function searched(search, signal, any) {
  const place = h("div");
  const state = h("p", { class: "row search-state" });
  const section = wide(t("calls"), filterForm(search.wanted), state, place);
  let going = 0;
  const show = (running) => {
    const { found, whole, full } = search;
    const words = t(whole ? "searched_all" : full ? "searched_full" : "searched_back", { n: count(found.length), time: moment(search.until * 1000) });
    const button = running
      ? h("button", { type: "button", onclick: stop }, t("stop_search"))
      : whole || full ? null : h("button", { type: "button", onclick: go_on }, t("search_on"));
    fill(state, words, running ? bar(search.portion, "", t("searched_portion")) : null, button);
    state.hidden = !any && (whole || full);
    fill(place, found.length || (any && !running) ? callTable(found) : null);
    section.toggleAttribute("aria-busy", running);
    if (running) section.setAttribute("aria-busy", "true");
    else if (any) announce(words);
  };
  const stop = () => {
    going += 1;
    remember({ back: search.until });
    show(false);
    state.querySelector("button")?.focus();
  };
  const go_on = () => {
    remember({ back: "" });
    const ready = run(0);
    state.querySelector("button")?.focus();
    return ready;
  };
  // `back`: where it was stopped before, as the address has it.
  const run = async (back) => {
    const mine = ++going;
    const ahead = () => !search.whole && !search.full && search.until > back;
    show(ahead());
    try {
      while (ahead()) {
        await search.further(signal);
        if (mine !== going) return;
        show(ahead());
      }
    } catch (error) {
      if (error.name === "AbortError" || mine !== going) return;
      show(false);
      state.prepend(h("span", { role: "alert" }, error.message));
    }
  };
  section.ready = run(Number(parameter("back")));
  return section;
}

// Says how to get data, once it is known that there are none.
function whenNothing(found, search, signal) {
  const place = h("div", { class: "wide", hidden: true });
  place.ready = found.ready.then(async () => {
    if (search.found.length || !search.whole || signal.aborted) return;
    fill(place, await nothing(signal));
    place.hidden = false;
  });
  return place;
}

export function findForm(value = "") {
  const input = h("input", { value, required: true, class: "grow", "aria-label": t("find_call"), placeholder: "resp-…", spellcheck: "false" });
  return h(
    "form",
    {
      class: "row",
      role: "search",
      onsubmit: (event) => {
        event.preventDefault();
        go(link("call", { id: input.value.trim() }, false));
      },
    },
    input,
    h("button", {}, t("find")),
  );
}

function filterForm(wanted) {
  const options = (key, list) =>
    field(t(key), h("select", { onchange: (event) => change({ [key]: event.target.value }) },
      list.map(([value, words]) => h("option", { value, selected: value === wanted[key] }, words))));
  const text = h("input", { value: wanted.text, size: 24 });
  const user = h("input", { value: wanted.user, size: 16 });
  return h(
    "form",
    {
      class: "row",
      onsubmit: (event) => {
        event.preventDefault();
        change({ text: text.value, user: user.value });
      },
    },
    options("outcome", [["", t("all")], ...OUTCOMES.map(([one]) => [one, name("outcome", one)])]),
    options("flag", ["", "invalid", "attack", "personal", "unpriced"].map((one) => [one, t(`flag.${one || "any"}`)])),
    options("order", ["", "dearest", "slowest"].map((one) => [one, t(one || "newest")])),
    field(t("text_search"), text),
    field(t("user"), user),
    h("button", {}, t("search")),
  );
}

export function callTable(rows) {
  return table(
    [
      { title: t("time"), cell: (row) => a(link("call", { id: row.response_id || row.request_id }, false), when(row.ms)), sort: (row) => row.ms },
      { title: t("feature"), cell: (row) => said(row.feature || t("empty_value"), 40), sort: (row) => row.feature },
      { title: t("model"), cell: (row) => said(row.model, 40), sort: (row) => row.model },
      { title: t("outcome"), cell: (row) => [badge(name("outcome", row.outcome), row.outcome === "ok" ? "good" : "bad"), marks(row)], sort: (row) => row.outcome },
      { title: t("cost"), right: true, cell: (row) => (row.cost_usd === null && (row.input_tokens || row.output_tokens) ? badge(t("unpriced"), "warn") : usd(row.cost_usd)), sort: (row) => row.cost_usd },
      { title: t("tokens"), right: true, cell: (row) => (row.input_tokens === null ? "–" : `${count(row.input_tokens)} → ${count(row.output_tokens ?? 0)}`), sort: (row) => row.input_tokens },
      { title: t("latency"), right: true, cell: (row) => millis(row.latency_ms), sort: (row) => row.latency_ms },
      { title: t("preview"), prose: true, cell: (row) => said(row.preview ?? "", 100) },
    ],
    rows,
    { caption: t("calls"), none: t("no_calls") },
  );
}

export const marks = (row) => [
  row.json_valid === false ? [" ", badge(t("json_bad"), "warn")] : null,
  row.has_attack ? [" ", badge(t("injection_found"), "bad")] : null,
  row.has_pii ? [" ", badge(t("pii_masked"), "calm")] : null,
];
