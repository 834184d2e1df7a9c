// The frame: header, filters, which page is shown, and when it is shown again.
import { Problem, query, token } from "./api.js";
import { fill, h } from "./dom.js";
import { isPortuguese, setLanguage, t } from "./i18n.js";
import { a, announce, card, field } from "./parts.js";
import { change, FILTERS, link, page, parameter, period, RANGES, series, setDefaultRange } from "./state.js";
import { alerts } from "./pages/alerts.js";
import { call } from "./pages/call.js";
import { calls } from "./pages/calls.js";
import { checklist } from "./pages/checklist.js";
import { costs } from "./pages/costs.js";
import { health } from "./pages/health.js";
import { now } from "./pages/now.js";
import { prompts } from "./pages/prompts.js";
import { quality } from "./pages/quality.js";
import { switches } from "./pages/switches.js";
import { topics } from "./pages/topics.js";

// `filters`: those that apply beside the period; none where the period does not. `every`: seconds until a live page is asked again.
const PAGES = {
  now: { show: now, filters: FILTERS, every: 5 },
  costs: { show: costs, filters: FILTERS, every: 15 },
  quality: { show: quality, filters: ["tenant", "feature", "model"], every: 15 },
  topics: { show: topics, filters: ["tenant", "feature"], every: 30 },
  alerts: { show: alerts, filters: ["tenant", "feature"], every: 5 },
  calls: { show: calls, filters: FILTERS, every: 0 },
  prompts: { show: prompts, filters: FILTERS, every: 30 },
  switches: { show: switches, every: 5 },
  checklist: { show: checklist, every: 0 },
  health: { show: health, filters: [], every: 5 },
  call: { show: call, every: 0, hidden: true },
};

const main = document.getElementById("main");
let turn = 0;
let timer = null;
let abort = new AbortController();
let live = true;
let shown = [];
let known = { tenants: [], features: [], models: [], providers: [] };

function header() {
  const theme = h(
    "button",
    { type: "button", class: "icon", "aria-label": t("theme"), title: t("theme"), onclick: turnTheme },
    "◐",
  );
  const language = h(
    "button",
    {
      type: "button",
      class: "icon",
      lang: isPortuguese() ? "en" : "pt-BR",
      "aria-label": isPortuguese() ? "English" : "Português",
      onclick: () => {
        setLanguage(isPortuguese() ? "en" : "pt");
        header();
        show();
      },
    },
    isPortuguese() ? "EN" : "PT",
  );
  const links = Object.entries(PAGES)
    .filter(([, entry]) => !entry.hidden)
    .map(([name]) => {
      const one = a(link(name), t(name));
      if (name === page() || (name === "calls" && page() === "call")) one.setAttribute("aria-current", "page");
      return h("li", {}, one);
    });
  fill(
    document.getElementById("header"),
    h(
      "div",
      { class: "top" },
      a("/now", h("span", { class: "brand" }, "Mirante"), h("span", { class: "tagline" }, t("tagline"))),
      h("div", { class: "tools" }, language, theme),
    ),
    h("nav", { "aria-label": t("menu") }, h("ul", {}, links)),
  );
  document.querySelector(".skip").textContent = t("skip");
  const menu = document.querySelector("nav ul");
  const present = menu.querySelector("[aria-current]");
  if (present) menu.scrollLeft = present.offsetLeft - menu.offsetLeft - (menu.clientWidth - present.offsetWidth) / 2;
}

function filters(entry) {
  if (!entry.filters || parameter("id")) return null; // one alert is what it is
  const { range, live: moving } = period();
  const ranges = [...Object.keys(RANGES), "today", ...(range === "custom" ? ["custom"] : [])];
  const select = (label, value, options, set) =>
    field(
      label,
      h(
        "select",
        { onchange: (event) => set(event.target.value) },
        options.map(([key, words]) => h("option", { value: key, selected: key === value }, words)),
      ),
    );
  const chosen = series();
  const choices = (name, all) => {
    const values = new Set(all);
    if (chosen[name]) values.add(chosen[name]);
    const options = [["", t("all")], ...[...values].filter(Boolean).sort().map((v) => [v, v])];
    return select(t(name), chosen[name], options, (value) => change({ [name]: value }));
  };
  const words = (key) => (key === "custom" ? customWords() : t(`range.${key}`));
  return h(
    "form",
    { class: "filters", "aria-label": t("search"), onsubmit: (event) => event.preventDefault() },
    select(t("range"), range, ranges.map((key) => [key, words(key)]), (value) =>
      change({ range: value === "custom" ? "" : value, since: "", until: "" }),
    ),
    entry.filters.map((one) => choices(one, known[`${one}s`])),
    entry.filters.some((one) => chosen[one])
      ? h(
          "button",
          { type: "button", onclick: () => change({ tenant: "", feature: "", model: "", provider: "" }) },
          t("clear"),
        )
      : null,
    entry.every && moving
      ? h(
          "button",
          {
            type: "button",
            "aria-pressed": String(live),
            onclick: (event) => {
              live = !live;
              event.target.textContent = t(live ? "live" : "paused");
              event.target.setAttribute("aria-pressed", String(live));
              if (live) show(false);
            },
          },
          t(live ? "live" : "paused"),
        )
      : null,
  );
}

function customWords() {
  const { since, until } = period();
  const [from, to] = [new Date(since * 1000), new Date(until * 1000)];
  const time = { hour: "2-digit", minute: "2-digit" };
  const words = (moment, options) => new Intl.DateTimeFormat(document.documentElement.lang, options).format(moment);
  const day = { day: "2-digit", month: "2-digit", ...time };
  return `${words(from, day)} … ${words(to, from.toDateString() === to.toDateString() ? time : day)}`;
}

async function show(anew = true) {
  const mine = ++turn;
  const begun = performance.now();
  clearTimeout(timer);
  abort.abort();
  abort = new AbortController();
  const entry = PAGES[page()] ?? PAGES.now;
  document.title = `${t(page())} · Mirante`;
  if (anew) {
    fill(main, filters(entry), h("p", { class: "wait" }, t("loading")));
    header();
  }
  let content;
  try {
    content = [await entry.show(abort.signal)].flat();
  } catch (error) {
    if (error.name === "AbortError" || mine !== turn) return;
    content = [problem(error)];
  }
  // What is shown already stays until all of the new is there.
  const ready = Promise.all(content.map((part) => part?.ready));
  const whole = h("div", { class: "grid" }, content);
  if (!anew) await ready;
  if (mine !== turn) return;
  const top = window.scrollY;
  shown.forEach((part) => part.unmounted?.());
  shown = content.filter(Boolean);
  const filtersThere = main.querySelector("form.filters");
  if (anew || !filtersThere) fill(main, filters(entry), whole);
  else main.replaceChildren(filtersThere, whole);
  for (const part of main.querySelectorAll("*")) part.mounted?.();
  if (!anew) window.scrollTo(0, top);
  else announce(t(page()));
  performance.measure(anew ? "shown" : "refreshed", { start: begun });
  await ready;
  if (mine !== turn) return;
  performance.measure("complete", { start: begun });
  schedule(entry);
}

// A page is asked again while nobody is typing in it.
function schedule(entry) {
  if (!entry.every || !live || (entry.filters && !period().live)) return;
  timer = setTimeout(() => {
    const busy = main.querySelector(".grid :is(input, select, textarea):focus, .grid dialog[open]");
    if (document.hidden || busy) schedule(entry);
    else show(false);
  }, entry.every * 1000);
}

function problem(error) {
  if (!(error instanceof Problem)) console.error(error);
  const words = error.status === 401 ? t("token_needed") : error.message;
  const parts = [h("p", { role: "alert" }, words)];
  if (error.status === 401) parts.push(tokenForm());
  parts.push(h("button", { type: "button", onclick: () => show() }, t("retry")));
  return card("", ...parts);
}

function tokenForm() {
  const input = h("input", { type: "password", autocomplete: "off", required: true });
  return h(
    "form",
    {
      onsubmit: (event) => {
        event.preventDefault();
        token.set(input.value);
        show();
      },
    },
    field(t("token"), input),
    h("p", { class: "hint" }, t("token_hint")),
    h("button", {}, t("apply")),
  );
}

function turnTheme() {
  const root = document.documentElement;
  const dark = root.dataset.theme
    ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  localStorage.setItem("mirante-theme", root.dataset.theme);
  show();
}

const none = () => [];

async function learnChoices() {
  const [found] = await query("filters").catch(none);
  if (!found || JSON.stringify(found) === JSON.stringify(known)) return;
  known = found;
  const form = main.querySelector("form.filters");
  if (form && !form.contains(document.activeElement)) form.replaceWith(filters(PAGES[page()] ?? PAGES.now));
}

async function learnRange() {
  const [bounds] = await query("bounds").catch(none);
  if (bounds?.any) setDefaultRange(Date.now() / 1000 - bounds.first < 1200 ? "15m" : "1h");
}

const kept = localStorage.getItem("mirante-theme");
if (kept) document.documentElement.dataset.theme = kept;
window.addEventListener("popstate", () => show());
window.addEventListener("mirante-navigate", () => {
  show();
  main.focus({ preventScroll: true });
  window.scrollTo(0, 0);
});
header();
setInterval(learnChoices, 60000);
learnChoices();
// Nothing is waited for that the address has said.
if (!["range", "since"].some((name) => parameter(name))) await learnRange();
await show();
