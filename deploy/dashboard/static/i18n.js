// Words of the page in English and Portuguese. A test holds both to the same keys.
import { en } from "./words.en.js";
import { pt } from "./words.pt.js";

const WORDS = { en, pt };
const KEPT = "mirante-language";

let current =
  new URLSearchParams(location.search).get("lang") ||
  localStorage.getItem(KEPT) ||
  (navigator.language.toLowerCase().startsWith("pt") ? "pt" : "en");
if (!WORDS[current]) current = "en";
document.documentElement.lang = current === "pt" ? "pt-BR" : "en";

export const language = () => (current === "pt" ? "pt-BR" : "en");
export const isPortuguese = () => current === "pt";

export function setLanguage(name) {
  current = name;
  localStorage.setItem(KEPT, name);
  document.documentElement.lang = language();
}

// The words for a key; {name} stands for a value. An unknown key is shown as it is.
export function t(key, values = {}) {
  const words = WORDS[current][key] ?? WORDS.en[key] ?? key;
  return words.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

// Words for what the data name, such as an outcome; what has none is shown as it is.
export const name = (kind, value) => {
  const key = `${kind}.${value}`;
  return WORDS[current][key] ?? WORDS.en[key] ?? value;
};
