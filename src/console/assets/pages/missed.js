// What a subscription did not get in a range of time, and why not, with who made it so.

import { get } from "../api.js";
import { h } from "../dom.js";
import { EVENT, filters, FROM, REPOSITORY, TO } from "../filters.js";
import { eventName, evidence, exact, id, repository } from "../parts.js";
import { section } from "../section.js";
import { asOf, here, link, nowMicros, pointTime, state } from "../state.js";
import { table } from "../table.js";
import { HOUR, iso } from "../time.js";
import { bold, count, go, heading, note, plain, quiet } from "../words.js";

/** How much is read for one answer; more than that is asked for from where it ended. */
const PAGES_MAX = 20;
const PAGE_ROWS = 500;
/** How much of it is listed: a table of thousands of rows helps nobody. */
const LISTED_MAX = 500;

/** What the subscription did not ask for, or got by an earlier receipt. */
const UNWANTED = ["filter", "not_created", "deleted", "served_by_earlier_receipt"];
const SHOW = { name: "show", label: "Show", choices: ["unwanted too"], none: "what it wanted" };

export function missed(page, path, name) {
  const { from, to, repository, event } = state.query;
  const since = from ?? iso((pointTime() ?? nowMicros()) - HOUR);
  const query = asOf({ subscription: name, missed: true, from: since, to, repository, event });
  return [
    filters(["subscriptions", name], [FROM, TO, REPOSITORY, EVENT, SHOW], { tab: "missed" }),
    !from && note("Of the last hour. Say since when to look further back."),
    section(page, (signal) => readOn(query, signal), (found) => shown(found, name), { every: 24 }),
  ];
}

/** Page by page until the range ends, or there is too much of it. */
async function readOn(query, signal) {
  const sum = { lookedAt: 0, counts: new Map(), evidence: new Map(), items: [], reached: null, isWhole: false };
  let cursor;
  for (let pages = 0; pages < PAGES_MAX && !sum.isWhole; pages += 1) {
    const page = await get("/explain", { ...query, limit: PAGE_ROWS, cursor }, signal);
    add(sum, page);
    cursor = page.next;
    sum.isWhole = !cursor;
  }
  return sum;
}

function add(sum, page) {
  sum.lookedAt += page.looked_at;
  sum.reached = page.reached ?? sum.reached;
  sum.items.push(...page.items);
  for (const { count: number, ...reason } of page.counts) {
    const words = becameOf(reason);
    sum.counts.set(words, { ...reason, words, number: number + (sum.counts.get(words)?.number ?? 0) });
  }
  for (const one of page.evidence) sum.evidence.set(one.offset, one);
}

function shown(sum, name) {
  const counts = [...sum.counts.values()].sort((a, b) => b.number - a.number);
  const proof = [...sum.evidence.values()].sort((a, b) => a.offset - b.offset);
  return [
    sum.isWhole ? received(sum.lookedAt) : unread(sum),
    counts.length > 0 && table({ rows: counts, columns: COUNTS, key: (row) => row.words, caption: BECAME }),
    heading("One by one, the latest first"),
    listed(sum.items.filter(isShown), name),
    proof.length > 0 && [heading("Who made it so"), evidence(proof)],
  ];
}

const isShown = ({ reason }) => Boolean(state.query.show) || !UNWANTED.includes(reason);

const received = (number) => h("p", null, bold(count(number)), ` webhook${number === 1 ? " was" : "s were"} received.`);

/** The next answer begins with the moment that was reached, so what came in the same moment is in both. */
function unread({ lookedAt, reached }) {
  const further = h("a", { href: here({ to: iso(reached + 1) }) }, "Read on from there");
  const read = `These are the latest ${count(lookedAt)} webhooks; there are more than are read at once.`;
  return note(read, " They go back to ", exact(reached), ". ", further, ".");
}

function listed(items, name) {
  const rows = items.slice(0, LISTED_MAX);
  const more = items.length - rows.length;
  return [
    table({ rows, columns: columns(name), caption: "Not received", empty: nothing() }),
    more > 0 && quiet(`… and ${count(more)} more: narrow the range or the filter to see them.`),
  ];
}

const nothing = () =>
  state.query.show
    ? "It got everything in this range."
    : "It got everything that it wanted in this range. What it did not want is counted above; “Show” lists it too.";

/** What became of a webhook, in the words of the command line. */
const WORDS = {
  dead: (more) => `given up: ${more}`,
  open: (more) => (more ? `still under way: ${more}` : "still under way"),
  cancelled: (more) => `cancelled: ${more}`,
  served_by_earlier_receipt: (more) => `a redelivery: ${more}`,
  filter: (more) => `not matched: ${more}`,
  not_created: () => "not matched: it was not created yet",
  deleted: () => "not matched: it was deleted",
  routing_failed: (more) => `routing failed: ${more}`,
  erased: () => "erased since, so nobody can say",
  another_rule: () => "not matched by the rules of that time, which were others",
};

export const becameOf = ({ reason, detail }) => WORDS[reason]?.(plain(detail ?? "")) ?? plain(reason);

const became = (row) => h("span", { class: `badge ${row.reason}` }, becameOf(row));

const BECAME = "What became of them";
const COUNTS = [
  [BECAME, (row) => became(row)],
  ["Webhooks", (row) => count(row.number)],
];

const columns = (name) => [
  ["What became of it", (row) => became(row)],
  ["Event", (row) => go(eventName(row), ["webhooks", row.guid], { why: name })],
  ["Repository", repository],
  ["Delivery", (row) => row.delivery && id(row.delivery, { href: link(["deliveries", row.delivery]) })],
  ["Last answer", (row) => row.last_answer],
  ["Received", (row) => exact(row.received_at)],
];
