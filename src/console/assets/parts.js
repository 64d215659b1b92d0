// The small things that many pages show: times, ids, states, records, who did what.

import { h, s } from "./dom.js";
import { here, isPast, nowMicros, remember, state } from "./state.js";
import { relative, utc } from "./time.js";
import { bold, code, count, go, note, plain, quiet, quote } from "./words.js";

const MANY = 6;
/** The reasons of states that name the event which led to them: `command:ID`, `subscription_deleted:ID`. */
const BY_EVENT = /^([a-z_]+):([0-9a-f-]{36})$/;
const isThere = (json) => json !== null && json !== undefined;

/** A time: as people say it while the page shows now, exact while it shows the past; exact in the title always. */
export function time(at) {
  if (!isThere(at)) return quiet("–");
  const whole = utc(at);
  const words = isPast() ? onDay(whole) : relative(at, nowMicros());
  return h("time", { datetime: whole.replace(" UTC", "Z").replace(" ", "T"), title: whole }, words);
}

/** The day of the point is said above, so only other days are said again. */
function onDay(whole) {
  const text = whole.replace(" UTC", "");
  const day = state.point.at !== undefined && utc(state.point.at).slice(0, 11);
  return day && text.startsWith(day) ? text.slice(11) : text;
}

/** An exact time, whatever the page shows. */
export function exact(at) {
  return h("time", { class: "exact", title: `${at} µs since 1970` }, utc(at).replace(" UTC", ""));
}

/** An id that can be copied; a long one is shortened, and stands in the title. */
export function id(text, { href, length = 8 } = {}) {
  const shown = text.length > length + 5 ? `${text.slice(0, length)}…` : text;
  const name = href ? h("a", { href, title: text }, shown) : h("span", { title: text }, shown);
  const label = `Copy ${text}`;
  const look = { type: "button", class: "copy", title: label, "aria-label": label, "data-text": text };
  const copy = h("button", { ...look, onclick: copied }, sheets());
  return h("code", { class: "id" }, name, copy);
}

function sheets() {
  const path = s("path", { d: "M5 5V2.5h8.5V11H11M2.5 5H11v8.5H2.5z" });
  return s("svg", { viewBox: "0 0 16 16", width: 12, height: 12, "aria-hidden": "true" }, path);
}

async function copied({ currentTarget: button }) {
  await clipboard(button.dataset.text);
  button.classList.add("done");
  setTimeout(() => button.classList.remove("done"), 1200);
}

/** Without TLS browsers have no clipboard for pages, but on this machine; then the old way. */
async function clipboard(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = h("textarea", { class: "visually-hidden" }, text);
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

/** A state, told by its word first and its colour second. */
export const badge = (word) => h("span", { class: `badge ${word.replace(/[^a-z_]/g, "")}` }, plain(word));

/** Whether something is paused. */
export const activity = ({ paused }) => badge(paused ? "paused" : "active");

/** A record of the log: a link to this page as of it. `appended` is when it was appended, if that is known. */
export function record(position, appended) {
  if (appended) remember(position, appended);
  const title = `This page as of ${position}: with this record and nothing later`;
  return h("a", { class: "record", href: here({}, position), title }, position);
}

export const control = (offset, at) => record(`control/0@${offset}`, at);

export const eventName = (row) => (row.action ? `${row.event}.${row.action}` : row.event);

/** A name that may be long: in a list it takes one line. */
export const long = (text) => h("span", { class: "long", title: text }, text);

export const repository = (row) => (row.repository ? long(row.repository) : quiet("none"));

export const subscription = (row) => go(long(row.subscription), ["subscriptions", row.subscription]);

/** What is known of one thing: names and values. */
export function facts(pairs, extra = "") {
  const rows = pairs.filter(Boolean).filter(([, first]) => isThere(first));
  const one = ([name, ...values]) => h("div", null, h("dt", null, name), h("dd", null, values));
  return h("dl", { class: `facts ${extra}` }, rows.map(one));
}

/** A value of JSON as text: lists of words as words, anything else as it is written. */
export function value(json) {
  if (!isThere(json)) return quiet("nothing");
  if (Array.isArray(json) && json.length === 0) return quiet("none");
  if (Array.isArray(json) && json.every((one) => typeof one === "string")) return words(json);
  return h("code", { class: "value" }, typeof json === "string" ? json : JSON.stringify(json, null, 1));
}

/** The value of a field: a clause of a filter that has none lets any through. */
export function setting(field, json) {
  const isClause = field.startsWith("filter.");
  if (isClause && (!isThere(json) || json.length === 0)) return quiet("any");
  return isThere(json) ? value(json) : quiet("–");
}

/** The event that a reason names, and in words what it was; null if it names none. */
export function byEvent(reason) {
  const [, kind, event] = reason?.match(BY_EVENT) ?? [];
  return event ? { kind: kind === "command" ? "by a command" : plain(kind), event } : null;
}

const words = (list) => list.map((one) => [h("code", { class: "word" }, one), " "]);

/** One change: what, who, from where, when, why, and its record. */
export function evidence(list) {
  if (list.length === 0) return null;
  return h("ul", { class: "evidence" }, list.map(oneEvidence));
}

function oneEvidence(one) {
  return h(
    "li",
    { "data-key": one.event },
    h("strong", null, one.event_type),
    one.about && [" ", h("code", { class: "word" }, one.about)],
    " by ",
    bold(one.actor),
    quiet(` from ${one.from} · `),
    exact(one.at),
    " · ",
    control(one.offset, one.at),
    one.why && quote(one.why),
    changed(one.fields ?? []),
  );
}

/** Fields before and after. Many of them are folded away. */
export function changed(fields, [before, after] = ["was", "now"]) {
  if (fields.length === 0) return null;
  const side = (field, which, look) => h("span", { class: look }, setting(field.field, field[which]));
  const both = (field) => [side(field, before, "before"), " → ", side(field, after, "after")];
  const one = (field) => h("li", null, code(field.field), " ", both(field));
  const all = h("ul", { class: "fields" }, fields.map(one));
  return fields.length > MANY ? h("details", null, h("summary", null, `${fields.length} fields`), all) : all;
}

/** Who did it, and from where. */
export const who = ({ actor, from }) => [bold(actor), " ", h("span", { class: "quiet whence" }, `from ${from}`)];

/** A secret, by when it was made and how long it is good; its value is nowhere. */
export function secret({ id: name, created_at: made, valid_until: end, organization_ids: whose }) {
  const until = end && [", valid until ", time(end)];
  const only = whose?.length > 0 && `, for the organisations ${whose.join(", ")}`;
  return h("div", null, id(name), " made ", time(made), until, only);
}

/** Figures that lead to what they count: `[name, number, href, look?]`. */
export const tiles = (figures) => h("div", { class: "tiles" }, figures.map(tile));

function tile([name, number, href, look]) {
  const words = [h("span", { class: "name" }, name), h("span", { class: "count" }, count(number))];
  return h("a", { class: `tile ${look || ""}`, href }, words);
}

/** For pages whose data have no past. */
export const hasNoPast = (what) =>
  isPast() && note(`${what} has no past: this is how it is now, not as of ${state.point.text}.`);
