// The overview: what happened lately, what is owed, whether all parts work.

import { all as everything, get } from "../api.js";
import { bars, binned } from "../chart.js";
import { h } from "../dom.js";
import { badge, exact, hasNoPast, subscription, tiles, time } from "../parts.js";
import { section } from "../section.js";
import { asOf, here, link, nowMicros, pointTime, state } from "../state.js";
import { table } from "../table.js";
import { HOUR, iso } from "../time.js";
import { code, count, empty, go, heading, note, plain, quiet } from "../words.js";

const MINUTE = HOUR / 60;
const BARS = 60;
const RANGES = [
  { name: "1h", size: MINUTE, hint: "min", every: 1 },
  { name: "6h", size: 6 * MINUTE, hint: "6 min", every: 6 },
  { name: "24h", size: 24 * MINUTE, hint: "24 min", every: 24 },
];
const SERIES = [
  ["Received", "received", "blue"],
  ["Delivered", "delivered", "green"],
  ["Failed attempts", "failed", "amber"],
  ["Dead letters", "dead", "red"],
];

export const overview = {
  title: () => "Overview",
  show: (page) => [
    // Totals count every delivery that there is, so they are asked for less often.
    section(page, totals, shown, { every: 6 }),
    ranges(),
    section(page, counts, charts, { every: range().every }),
    h(
      "div",
      { class: "columns" },
      h("section", null, heading("Parts"), hasNoPast("The state of parts"), section(page, status, parts)),
      h("section", null, heading("Latest dead letters"), section(page, deaths, latest)),
    ),
  ],
};

const status = (signal) => get("/status", {}, signal);
const deaths = (signal) => get("/dead-letters", asOf({ limit: 8 }), signal);

const totals = (signal) => get("/totals", asOf(), signal);

const shown = (found) =>
  tiles([
    ["Webhooks", found.receipts, link(["webhooks"])],
    ["Delivered", found.delivered, link(["deliveries"], { state: "delivered" })],
    ["Open", found.open, link(["deliveries"], { state: "open" })],
    ["Dead letters", found.dead, link(["dead-letters"]), found.dead > 0 && "bad"],
    ["Cancelled", found.cancelled, link(["deliveries"], { state: "cancelled" })],
  ]);

const range = () => RANGES.find(({ name }) => name === state.query.range) ?? RANGES[0];

function ranges() {
  const look = ({ name }) => ({ id: `range-${name}`, "aria-current": range().name === name && "true" });
  const tab = (one) => h("a", { href: here({ range: one === RANGES[0] ? "" : one.name }), ...look(one) }, one.name);
  return h("nav", { class: "tabs", "aria-label": "Range of the charts" }, RANGES.map(tab));
}

/** Of a record or a bookmark the time is unknown here, so the charts end with the latest minute of the answer. */
async function counts(signal) {
  const { size } = range();
  let end = pointTime();
  if (end === null) {
    const { items } = await get("/counts", asOf({ limit: 1 }), signal);
    end = items[0]?.minute_at ?? nowMicros();
  }
  const first = (Math.floor(end / size) - BARS + 1) * size;
  return { end, ...(await everything("/counts", asOf({ from: iso(first) }), signal, 12)) };
}

function charts({ end, rows, isWhole }) {
  const { name, size, hint } = range();
  const bins = (field) => binned(rows, field, { end, size, count: BARS });
  const one = ([label, field, look]) => bars({ name: label, bins: bins(field), look, hint });
  const nothing = `Nothing happened in the last ${name}. Webhooks come in at the address of a source: see `;
  const advice = empty(nothing, go("sources", ["sources"]), ".");
  return [
    !isWhole && uncounted(rows.at(-1)),
    h("div", { class: "charts" }, SERIES.map(one)),
    rows.length === 0 && advice,
  ];
}

/** The latest come first, so those that were left out are the earliest. */
const uncounted = ({ minute_at: first }) =>
  note("There is too much to count here: the earliest hours are not shown, only what came after ", exact(first), ".");

export function parts({ deliveries_paused: isPaused, parts: all, projections }) {
  const part = ({ name, ready, reason, note: said }) =>
    h("li", { "data-key": name }, badge(ready ? "ready" : "not ready"), code(name), quiet(reason ?? said));
  return [
    isPaused && note("All deliveries are paused: no attempt starts until somebody resumes them."),
    h("ul", { class: "parts" }, all.map(part)),
    quiet(behind(projections[0]?.lag)),
  ];
}

function behind(lag) {
  if (lag === undefined) return "The tables cannot be read now.";
  if (lag === 0) return "The tables have read the whole log.";
  return `Records that the tables have not read yet: ${count(lag)}.`;
}

const latest = ({ items }) =>
  table({
    rows: items,
    caption: "Latest dead letters",
    empty: "No dead letters. Deliveries that are given up stand here, with the reason.",
    columns: [
      ["Delivery", (row) => go(row.event, ["deliveries", row.id])],
      ["Subscription", subscription],
      ["Reason", (row) => plain(row.reason)],
      ["Died", (row) => time(row.died_at)],
    ],
  });
