// Numbers and times as people read them, in the page's language and the browser's time zone.
import { language } from "./i18n.js";

const cached = new Map();

function numbers(options) {
  const key = language() + JSON.stringify(options);
  if (!cached.has(key)) cached.set(key, new Intl.NumberFormat(language(), options));
  return cached.get(key);
}

const NONE = "–";

const none = (value) => value === null || value === undefined || Number.isNaN(value);

export function count(value) {
  if (none(value)) return NONE;
  return Math.abs(value) >= 100000
    ? numbers({ notation: "compact", maximumFractionDigits: 1 }).format(value)
    : numbers({ maximumFractionDigits: 0 }).format(value);
}

// `step`: between values beside each other, such as those of an axis, which have the same digits.
export function usd(value, step = 0) {
  if (none(value)) return NONE;
  const digits = step ? exactDigits(step) : digitsOf(Math.abs(value));
  const whole = !step && Math.abs(value * 100 - Math.round(value * 100)) < 1e-9; // in cents
  const least = whole ? 2 : digits;
  return `US$ ${numbers({ minimumFractionDigits: least, maximumFractionDigits: digits }).format(value)}`;
}

// As many as say a step in full: two for 0.25, three for 0.025.
function exactDigits(step) {
  let digits = 2;
  while (digits < 12 && Math.abs(step * 10 ** digits - Math.round(step * 10 ** digits)) > 1e-6) digits++;
  return digits;
}

// Never 0 for what cost something: of less than a ten-thousandth, two significant digits.
function digitsOf(size) {
  if (size === 0 || size >= 1) return 2;
  if (size >= 0.01) return 4;
  return size >= 0.0001 ? 6 : Math.min(12, Math.max(6, 1 - Math.floor(Math.log10(size))));
}

export function share(value) {
  if (none(value)) return NONE;
  const digits = value > 0 && value < 0.01 ? 2 : 1;
  return numbers({ style: "percent", maximumFractionDigits: digits }).format(value);
}

export function decimal(value, digits = 2) {
  return none(value) ? NONE : numbers({ maximumFractionDigits: digits }).format(value);
}

export function millis(value) {
  if (none(value)) return NONE;
  if (value < 1000) return `${numbers({ maximumFractionDigits: 0 }).format(value)} ms`;
  const digits = value < 10000 ? 2 : 1;
  return `${numbers({ maximumFractionDigits: digits }).format(value / 1000)} s`;
}

export function minutes(value) {
  if (none(value)) return NONE;
  if (value < 90) return `${numbers({ maximumFractionDigits: 0 }).format(value)} min`;
  return `${numbers({ maximumFractionDigits: 1 }).format(value / 60)} h`;
}

export function seconds(value) {
  if (none(value)) return NONE;
  if (value < 120) return `${numbers({ maximumFractionDigits: 0 }).format(value)} s`;
  return minutes(value / 60);
}

export function moment(ms) {
  if (none(ms)) return NONE;
  const date = new Date(ms);
  const near = Math.abs(Date.now() - ms) < 12 * 3600e3;
  const options = near
    ? { hour: "2-digit", minute: "2-digit", second: "2-digit" }
    : { day: "2-digit", month: "2-digit", year: "2-digit", hour: "2-digit", minute: "2-digit" };
  return new Intl.DateTimeFormat(language(), options).format(date);
}

export function ago(ms) {
  if (none(ms)) return NONE;
  const past = (Date.now() - ms) / 1000;
  const words = new Intl.RelativeTimeFormat(language(), { numeric: "auto" });
  if (past < 90) return words.format(-Math.round(past), "second");
  if (past < 5400) return words.format(-Math.round(past / 60), "minute");
  if (past < 129600) return words.format(-Math.round(past / 3600), "hour");
  return words.format(-Math.round(past / 86400), "day");
}
