// What changed between two points of history.

import { get } from "../api.js";
import { h } from "../dom.js";
import { filters } from "../filters.js";
import { badge, changed } from "../parts.js";
import { section } from "../section.js";
import { here, nowMicros, pointTime, state } from "../state.js";
import { table } from "../table.js";
import { HOUR, iso } from "../time.js";
import { bold, count, empty, go, heading, lead, note } from "../words.js";

const FIELDS = [
  { name: "from", label: "From", point: true, hint: "2h, 2026-11-01, @bookmark", wide: true },
  { name: "to", label: "To", point: true, hint: "the point of time above", wide: true },
];
const RANGES = [
  ["Last hour", HOUR],
  ["Last day", 24 * HOUR],
  ["Last week", 7 * 24 * HOUR],
];
/** The first record of every log. */
const BEGINNING = "control/0@0";

export const changes = {
  title: () => "Changes",
  show: (page) => [filters(["changes"], FIELDS, { label: "Compare" }), ranges(), answer(page)],
};

function ranges() {
  const end = pointTime() ?? nowMicros();
  const button = (name, from) => h("a", { class: "button", href: here({ from, to: "" }) }, name);
  const spans = RANGES.map(([name, length]) => button(name, iso(end - length)));
  return h("p", { class: "buttons" }, spans, button("Since the beginning", BEGINNING));
}

/** Without an end it is the point of the page, which is the end of the log where the page shows now. */
function answer(page) {
  const { from, to } = state.query;
  if (!from) return empty("Say from where: a time, a record or a bookmark. The end is the point of time above.");
  const load = (signal) => difference({ from, to: to || state.point.text }, signal);
  return section(page, load, told, { every: 6 });
}

/** Before the log there was nothing, so what began later than one asks begins with its first record. */
async function difference(points, signal) {
  try {
    return await get("/diff", points, signal);
  } catch (error) {
    const begins = error.detail?.split(BEFORE)[1];
    if (!begins) throw error;
    return { ...(await get("/diff", { ...points, from: BEGINNING }, signal)), begins };
  }
}

/** What the API says of a time at which there was no log yet, before the time at which it began. */
const BEFORE = " is before the log, which begins at ";

const told = (diff) => [
  diff.begins && note(`The log begins at ${diff.begins}, later than was asked for, so this is all since then.`),
  heading("Configuration"),
  diff.configuration.length
    ? diff.configuration.map(object)
    : empty("No source, subscription or token changed between the two."),
  heading("How much there was"),
  totals(diff),
];

const PAGES = { source: "sources", subscription: "subscriptions" };

function object({ id, kind, name, change, fields }) {
  const page = change !== "deleted" && PAGES[kind];
  const who = page === "subscriptions" && go("who and why", [page, name], { tab: "history" });
  const head = lead(badge(change), kind, page ? go(name, [page, name]) : bold(name), who);
  return h("section", { class: "card", "data-key": id }, head, changed(fields, ["from", "to"]));
}

function totals({ from, to }) {
  const rows = Object.entries(to.totals).map(([name, after]) => ({ name, before: from.totals[name], after }));
  const signed = (number) => `${number > 0 ? "+" : ""}${count(number)}`;
  const columns = [
    ["What", (row) => row.name],
    ["Then", (row) => count(row.before), "number"],
    ["Later", (row) => count(row.after), "number"],
    ["Difference", (row) => signed(row.after - row.before), "number"],
  ];
  return table({ rows, key: (row) => row.name, caption: "How much there was at both points", columns });
}
