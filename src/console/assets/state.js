// What all parts of the page know: where one is, at which point of history, and who is asking.

import { corrected, iso, point, span } from "./time.js";
import * as url from "./url.js";

/** How far the server's clock is ahead of the browser's, in milliseconds. */
let ahead = 0;

/** Now, by the server's clock: its log is what the times of a page belong to. */
export const nowMicros = () => (Date.now() + ahead) * 1000;

/** Takes note of the `Date` of an answer, which came between `sent` and now. */
export function heard(date, sent) {
  const second = Date.parse(date);
  if (!Number.isNaN(second)) ahead = corrected(ahead, { second, sent, received: Date.now() });
}

export const state = {
  /** Who asks, and what they may do: the API's `token` of `/status`. */
  who: null,
  /** The query of this page, without the point. */
  query: {},
  /** The point of history: see `time.js`; `wrong` is what is none, and `written` what somebody wrote then. */
  point: { kind: "now", text: "" },
};

export const isNow = () => state.point.kind === "now";
export const isWrong = () => state.point.kind === "wrong";
/** A point that was named and can be shown; it may also be in the future, where there is nothing yet. */
export const isPast = () => !isNow() && !isWrong();
export const isFuture = () => state.point.kind === "time" && state.point.at > nowMicros();
const ROLES = ["read", "operate", "admin"];
export const hasRole = (needed) => ROLES.indexOf(state.who?.role) >= ROLES.indexOf(needed);
/** Commands act on the present, so they are offered there only. */
export const mayOperate = () => isNow() && hasRole("operate");

/** The query of a request as of the point. */
export const asOf = (query = {}) => ({ ...query, as_of: state.point.text });

/** A link to a page at the same point of history, or at another one. */
export function link(parts, query = {}, at = state.point.text) {
  return url.address(url.path(...parts), { ...query, as_of: at });
}

/** This page with other clauses; a new list begins at its beginning. */
export function here(changes, at = state.point.text) {
  return url.address(location.pathname, { ...state.query, cursor: "", ...changes, as_of: at });
}

const TIMES = /(^|_)(from|to)$/;

function absolute(text) {
  const ago = span(text);
  return ago === null ? text : iso(nowMicros() - ago);
}

/** Reads the address: clauses that are relative to now become absolute, as the point does. Throws if it is none. */
export function read(location) {
  const { as_of: text, ...query } = url.query(location.search);
  const clauses = Object.entries(query).map(([name, text]) => [name, TIMES.test(name) ? absolute(text) : text]);
  state.query = Object.fromEntries(clauses);
  state.point = { kind: "wrong", text: "", written: text };
  state.point = point(text, nowMicros());
}

// When a record was appended is not in its name, so it is remembered when a page shows it: stepping needs it. A page
// that is open for days shows ever more of them, so the ones that were seen first are forgotten.
const TIMES_MAX = 2000;
const times = new Map();

export function remember(record, at) {
  times.delete(record);
  times.set(record, at);
  if (times.size > TIMES_MAX) times.delete(times.keys().next().value);
}

/** When the point is, as far as that is known here; null where only the server could tell. */
export function pointTime() {
  const { kind, at, text } = state.point;
  if (kind === "now") return nowMicros();
  return kind === "time" ? at : (times.get(text) ?? null);
}
