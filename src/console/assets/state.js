// What all parts of the page know: where one is, at which point of history, and who is asking.

import { iso, point, span } from "./time.js";
import * as url from "./url.js";

export const nowMicros = () => Date.now() * 1000;

export const state = {
  /** Who asks, and what they may do: the API's `token` of `/status`. */
  who: null,
  /** The query of this page, without the point. */
  query: {},
  /** The point of history: see `time.js`. */
  point: { kind: "now", text: "" },
};

export const isPast = () => state.point.kind !== "now";
const ROLES = ["read", "operate", "admin"];
export const hasRole = (needed) => ROLES.indexOf(state.who?.role) >= ROLES.indexOf(needed);
/** Commands act on the present, so they are offered there only. */
export const mayOperate = () => !isPast() && hasRole("operate");

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

/** Reads the address: clauses that are relative to now become absolute, as the point does. */
export function read(location) {
  const { as_of: text, ...query } = url.query(location.search);
  const clauses = Object.entries(query).map(([name, text]) => [name, TIMES.test(name) ? absolute(text) : text]);
  state.query = Object.fromEntries(clauses);
  state.point = point(text, nowMicros());
}

// When a record was appended is not in its name, so it is remembered when a page shows it: stepping needs it.
const times = new Map();
export const remember = (record, at) => times.set(record, at);

/** When the point is, as far as that is known here; null where only the server could tell. */
export function pointTime() {
  const { kind, at, text } = state.point;
  if (kind === "now") return nowMicros();
  return kind === "time" ? at : (times.get(text) ?? null);
}

/** The point, as the API takes it where one must be given. */
export const pointOrNow = () => state.point.text || iso(nowMicros());
