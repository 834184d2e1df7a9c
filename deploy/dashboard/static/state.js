// What is looked at, kept in the URL so that a link shows the same: page, period and filters.

export const RANGES = { "15m": 900, "1h": 3600, "6h": 21600, "24h": 86400, "7d": 604800, "30d": 2592000 };
export const FILTERS = ["tenant", "feature", "model", "provider"];

export const page = () => location.pathname.replace(/^\/|\/$/g, "") || "now";
export const parameters = () => new URLSearchParams(location.search);
export const parameter = (name, fallback = "") => parameters().get(name) ?? fallback;

// A link to a page. Period and filters come along unless `changes` says otherwise ('' drops one).
export function link(to, changes = {}, keep = true) {
  const found = new URLSearchParams();
  if (keep) {
    for (const name of ["range", "since", "until", ...FILTERS]) {
      const value = parameter(name);
      if (value) found.set(name, value);
    }
  }
  for (const [name, value] of Object.entries(changes)) {
    if (value === "" || value === null || value === undefined) found.delete(name);
    else found.set(name, value);
  }
  return `/${to}${found.size ? `?${found}` : ""}`;
}

export function go(url, replace = false) {
  history[replace ? "replaceState" : "pushState"](null, "", url);
  window.dispatchEvent(new Event("mirante-navigate"));
}

function changed(changes) {
  const found = parameters();
  for (const [name, value] of Object.entries(changes)) {
    if (value === "" || value === null || value === undefined) found.delete(name);
    else found.set(name, value);
  }
  return `${location.pathname}${found.size ? `?${found}` : ""}`;
}

// Show it with these changes. Where a search was stopped (`back`) holds for that search alone.
export const change = (changes, replace = false) => go(changed({ back: "", ...changes }), replace);

// What is shown already becomes part of the address.
export const remember = (changes) => history.replaceState(null, "", changed(changes));

// The period in epoch seconds; `live` when it ends now.
let fallback = "1h";

// What a page without a period shows: data younger than a quarter of an hour would be lost in an hour.
export function setDefaultRange(range) {
  fallback = range;
}

export function period() {
  const since = Number(parameter("since"));
  const until = Number(parameter("until"));
  if (since && until && since < until) return { since, until, live: false, range: "custom" };
  const range = parameter("range") || fallback;
  // The same end for a while, and for all who look, so that the server need not ask again (source.py).
  const beat = Math.min(60, Math.max(1, Math.floor((RANGES[range] ?? 86400) / 360)));
  const now = (Math.floor(Date.now() / 1000 / beat) + 1) * beat;
  if (range === "today") return { since: now - (now % 86400), until: now, live: true, range };
  const length = RANGES[range] ?? RANGES[fallback];
  return { since: now - length, until: now, live: true, range: RANGES[range] ? range : fallback };
}

export function series() {
  return Object.fromEntries(FILTERS.map((name) => [name, parameter(name)]));
}

export const asked = () => {
  const { since, until } = period();
  return { since, until, ...series() };
};
