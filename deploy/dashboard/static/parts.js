// Pieces that pages are made of.
import { fill, h, said } from "./dom.js";
import { moment } from "./format.js";
import { t } from "./i18n.js";
import { go } from "./state.js";

// A link within the dashboard: opens without a reload, and as usual in a new tab.
export function a(url, ...children) {
  return h(
    "a",
    {
      href: url,
      onclick: (event) => {
        if (event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
        event.preventDefault();
        go(url);
      },
    },
    ...children,
  );
}

export const card = (title, ...children) =>
  h("section", { class: "card" }, title ? h("h2", {}, title) : null, ...children);

export const widened = (section) => {
  section.classList.add("wide");
  return section;
};

export const wide = (title, ...children) => widened(card(title, ...children));

// A card that comes when its answer has come: what reads calls one by one takes long over a long period.
// `make` turns the answer into a card; `ready` tells when it stands. `frame`: what stands there until then.
export function later(title, answer, make, frame = wide) {
  const place = frame(title, h("p", { class: "wait" }, t("loading")));
  place.setAttribute("aria-busy", "true");
  const stand = (part) => {
    place.className = part.className;
    place.removeAttribute("aria-busy");
    place.replaceChildren(...part.childNodes);
    place.mounted = part.mounted;
    place.unmounted = part.unmounted;
    if (place.isConnected) place.mounted?.();
  };
  place.ready = answer.then(
    (rows) => stand(make(rows)),
    (error) => {
      if (error.name !== "AbortError") stand(frame(title, h("p", { role: "alert" }, error.message)));
    },
  );
  return place;
}

export function figure(label, value, { hint = "", tone = "", href = "", title = "" } = {}) {
  return h(
    "div",
    { class: `figure ${tone}`, title },
    h("div", { class: "label" }, label),
    h("div", { class: "value" }, href ? a(href, value) : value),
    hint ? h("div", { class: "hint" }, hint) : null,
  );
}

export const badge = (text, tone = "") => h("span", { class: `badge ${tone}` }, text);

export const toneOf = (severity) => ({ page: "bad", ticket: "warn", info: "calm" })[severity] || "";

export const empty = (...children) => h("p", { class: "empty" }, ...children);

// `columns`: [{title, cell(row), right, prose, sort(row)}]. Rows are sorted by a click on a title.
export function table(columns, rows, { caption = "", none = "" } = {}) {
  if (!rows.length) return empty(none);
  const body = h("tbody");
  let by = null;
  let down = true;
  const show = () => {
    let sorted = rows;
    if (by) {
      const known = (row) => by.sort(row) ?? -Infinity;
      sorted = [...rows].sort((x, y) => (known(x) > known(y) ? 1 : known(x) < known(y) ? -1 : 0));
      if (down) sorted.reverse();
    }
    fill(
      body,
      sorted.map((row) =>
        h("tr", {}, columns.map((c) => h("td", { class: c.right ? "right" : c.prose ? "prose" : null }, c.cell(row)))),
      ),
    );
  };
  const heads = columns.map((column) => {
    const head = h("th", { scope: "col", class: column.right ? "right" : null });
    if (column.sort) {
      head.append(
        h(
          "button",
          {
            type: "button",
            class: "sort",
            onclick: () => {
              down = by === column ? !down : true;
              by = column;
              heads.forEach((other) => other.removeAttribute("aria-sort"));
              head.setAttribute("aria-sort", down ? "descending" : "ascending");
              show();
            },
          },
          column.title,
        ),
      );
    } else head.append(column.title || h("span", { class: "visually-hidden" }, "·"));
    return head;
  });
  show();
  return h(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": caption || columns[0].title },
    h(
      "table",
      {},
      caption ? h("caption", { class: "visually-hidden" }, caption) : null,
      h("thead", {}, h("tr", {}, heads)),
      body,
    ),
  );
}

export function bar(portion, tone = "", label = "") {
  const width = Math.max(0, Math.min(1, portion || 0));
  return h("progress", { class: `bar ${tone}`, max: 1, value: width, "aria-label": label || `${Math.round(width * 100)} %` });
}

export const when = (ms) =>
  ms ? h("time", { datetime: new Date(ms).toISOString(), title: new Date(ms).toISOString() }, moment(ms)) : "–";

export const id = (text) => h("code", { class: "id" }, said(text, 60));

export function field(label, input) {
  return h("label", { class: "field" }, h("span", {}, label), input);
}

export function copyable(text) {
  const button = h(
    "button",
    {
      type: "button",
      class: "link",
      onclick: async () => {
        await navigator.clipboard.writeText(text);
        announce(t("copied"));
      },
    },
    t("copy"),
  );
  return h("span", { class: "copyable" }, id(text), " ", button);
}

export function announce(text) {
  document.getElementById("status").textContent = text;
}
