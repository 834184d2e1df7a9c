// Curves over time: uPlot draws them, a table says the same for those who cannot see them.
import { fill, h, visible } from "./dom.js";
import { moment } from "./format.js";
import { t } from "./i18n.js";
import { table } from "./parts.js";
import { link, go } from "./state.js";
import uPlot from "./uplot.esm.js";

const COLOURS = ["--c1", "--c2", "--c3", "--c4", "--c5", "--c6", "--c7", "--c8", "--c9"];

const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// `lines`: [{label, values, format, colour}], values aligned with `times` (epoch seconds).
// `step`: seconds between points. A click leads to the calls of that step.
export function curve(title, times, lines, { step = 60, stacked = false, onpoint = null, filters = {} } = {}) {
  const box = h("div", { class: "curve" });
  const drawn = h("div", { class: "drawn", role: "img", "aria-label": `${title}: ${summary(lines)}` });
  const values = stacked ? stack(lines) : lines.map((line) => line.values);
  let asTable = false;
  const toggle = h(
    "button",
    {
      type: "button",
      class: "link small",
      onclick: () => {
        asTable = !asTable;
        toggle.textContent = t(asTable ? "as_curve" : "as_table");
        fill(box, asTable ? listed() : drawn);
        if (!asTable) plot();
      },
    },
    t("as_table"),
  );
  const listed = () =>
    table(
      [
        { title: t("time"), cell: (i) => moment(times[i] * 1000), sort: (i) => times[i] },
        ...lines.map((line) => ({
          title: line.label,
          right: true,
          cell: (i) => line.format(line.values[i]),
          sort: (i) => line.values[i],
        })),
      ],
      times.map((_, i) => i),
      { caption: title, none: t("no_data") },
    );
  let chart = null;
  let resizing = null;

  function plot() {
    chart?.destroy();
    resizing?.disconnect();
    const width = Math.max(240, box.clientWidth || 480);
    chart = new uPlot(options(width), [times, ...values], drawn);
    resizing = new ResizeObserver(() => {
      if (box.clientWidth && !asTable) chart.setSize({ width: box.clientWidth, height: 200 });
    });
    resizing.observe(box);
  }

  function options(width) {
    const axis = { stroke: style("--muted"), grid: { stroke: style("--line"), width: 1 }, ticks: { show: false } };
    return {
      width,
      height: 200,
      cursor: { points: { size: 7 } },
      legend: { live: true },
      padding: [8, 8, 0, 0],
      scales: { y: { range: (_, low, high) => [Math.min(0, low ?? 0), (high || 1) * 1.08] } },
      axes: [
        { ...axis, size: 32, values: (_, splits) => splits.map((s) => clock(s, times)) },
        { ...axis, size: 70, values: (_, splits) => splits.map((s) => lines[0].format(s, splits[1] - splits[0])) },
      ],
      bands: stacked ? lines.slice(1).map((_, n) => ({ series: [n + 2, n + 1] })) : [],
      series: [
        { label: t("time"), value: (_, s) => (s === null ? "" : moment(s * 1000)) },
        ...lines.map((line, n) => {
          const colour = style(line.colour || COLOURS[n % COLOURS.length]);
          return {
            label: visible(line.label),
            stroke: colour,
            width: stacked ? 1 : 1.8,
            fill: stacked ? `${colour}99` : lines.length === 1 ? `${colour}22` : undefined,
            dash: line.dash,
            spanGaps: false,
            points: { show: times.length < 40, size: 5 },
            value: (_, __, ___, i) => (i === null ? "" : line.format(line.values[i])),
          };
        }),
      ],
      hooks: {
        ready: [
          (u) => {
            u.over.addEventListener("click", (event) => {
              const at = u.posToIdx(event.clientX - u.over.getBoundingClientRect().left);
              const since = times[at];
              if (onpoint) onpoint(since, since + step);
              else go(link("calls", { ...filters, since, until: since + step, range: "" }));
            });
            u.over.title = t("points_hint");
          },
        ],
      },
    };
  }

  fill(box, drawn);
  const section = h(
    "section",
    { class: "card" },
    h("div", { class: "head" }, h("h2", {}, title), toggle),
    box,
  );
  section.mounted = plot;
  section.unmounted = () => {
    chart?.destroy();
    resizing?.disconnect();
  };
  return section;
}

const summary = (lines) =>
  lines
    .map((line) => {
      const known = line.values.filter((v) => v !== null && v !== undefined);
      return `${line.label} ${known.length ? line.format(known[known.length - 1]) : "–"}`;
    })
    .join(", ");

function stack(lines) {
  const sums = [];
  let below = null;
  for (const line of lines) {
    below = line.values.map((value, i) => (value ?? 0) + (below ? below[i] : 0));
    sums.push(below);
  }
  return sums;
}

function clock(seconds, times) {
  const date = new Date(seconds * 1000);
  const long = times.length && times[times.length - 1] - times[0] > 36 * 3600;
  const options = long ? { day: "2-digit", month: "2-digit" } : { hour: "2-digit", minute: "2-digit" };
  return new Intl.DateTimeFormat(document.documentElement.lang, options).format(date);
}

// Rows with holes filled: every step of the period has a point, so that silence is seen.
export function evenly(rows, step, since, until, value) {
  const known = new Map(rows.map((row) => [row.t, row]));
  const times = [];
  for (let at = Math.floor(since / step) * step; at < until; at += step) times.push(at);
  return { times, of: (name, absent = null) => times.map((at) => value(known.get(at), name) ?? absent) };
}

export const STEPS = [10, 60, 300, 900, 3600, 86400, 604800];
export const stepOf = (length) => STEPS.find((step) => step * 240 >= length) ?? STEPS[STEPS.length - 1];
