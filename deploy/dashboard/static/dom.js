// Elements from values. Everything a service wrote becomes a text node: nothing here parses markup,
// and nothing that is shown or read aloud holds a control that turns text around or hides it.

const SHOWN = new Set(["title", "aria-label", "placeholder"]);

export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.className = value;
    else if (name === "value") element.value = value;
    else if (SHOWN.has(name)) element.setAttribute(name, visible(value));
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...nodes(children));
  return element;
}

function nodes(children) {
  return children
    .flat(Infinity)
    .filter((child) => child !== null && child !== undefined && child !== false)
    .map((child) => (child instanceof Node ? child : document.createTextNode(visible(child))));
}

export function fill(element, ...children) {
  element.replaceChildren(...nodes(children));
  return element;
}

// Controls that turn text around or hide it are shown by their code point.
const CONTROLS =
  /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

export function visible(text) {
  return String(text).replace(
    CONTROLS,
    (c) => `[U+${c.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}]`,
  );
}

// A short text of an event, such as a name or an id; its direction is its own.
export function said(text, most = 120) {
  const whole = String(text ?? "");
  if (whole.length <= most) return h("bdi", {}, whole);
  return h("bdi", { title: whole.slice(0, 500) }, `${whole.slice(0, most)}…`);
}

const PIECE = 4000;

// A long text of an event: its beginning, and more on request.
export function long(text, more) {
  const whole = String(text ?? "");
  const box = h("pre", { class: "text", dir: "auto", tabindex: "0" });
  let end = PIECE;
  const show = () => {
    fill(box, whole.slice(0, end));
    if (end < whole.length) {
      const label = `${more} (${end.toLocaleString()} / ${whole.length.toLocaleString()})`;
      box.append(h("button", { class: "link", type: "button", onclick: next }, label));
    }
  };
  const next = () => {
    end = Math.min(whole.length, end * 4);
    show();
  };
  show();
  return box;
}
