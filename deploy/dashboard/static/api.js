// What the server is asked. Every answer is for the page that asked it: leaving the page drops it.
import { t } from "./i18n.js";

const TOKEN = "mirante-token";

export const token = {
  get: () => sessionStorage.getItem(TOKEN) || "",
  set: (value) => sessionStorage.setItem(TOKEN, value.trim()),
};

// The link that `mirante up` prints may carry the token behind #, which no server sees.
const fragment = new URLSearchParams(location.hash.slice(1));
if (fragment.get("token")) {
  token.set(fragment.get("token"));
  history.replaceState(null, "", location.pathname + location.search);
}

export class Problem extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

async function ask(path, options = {}) {
  const headers = { ...options.headers };
  if (token.get()) headers.Authorization = `Bearer ${token.get()}`;
  let answer;
  try {
    answer = await fetch(path, { ...options, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(t("server_gone"), 0);
  }
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Problem(body.problem || `HTTP ${answer.status}`, answer.status);
  return body;
}

const text = (parameters) => {
  const found = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters))
    if (value !== "" && value !== null && value !== undefined) found.set(name, value);
  return found.size ? `?${found}` : "";
};

// Rows as objects; `rows.absent` names a table that the database does not have.
export async function query(name, parameters = {}, signal = undefined) {
  const body = await ask(`/api/query/${name}${text(parameters)}`, { signal });
  const names = body.meta.map((column) => column.name);
  const rows = body.data.map((row) => Object.fromEntries(names.map((n, i) => [n, row[i]])));
  rows.absent = body.absent || "";
  return rows;
}

export const get = (path, parameters = {}, signal = undefined) =>
  ask(path + text(parameters), { signal });

export const post = (path, value) =>
  ask(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(value),
  });
