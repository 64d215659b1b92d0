// What a subscription did not get in a range of time, and why not, with who made it so.

import { get } from "../api.js";
import { h } from "../dom.js";
import { EVENT, filters, FROM, REPOSITORY, TO } from "../filters.js";
import { badge, eventName, evidence, id, time } from "../parts.js";
import { section } from "../section.js";
import { asOf, link, nowMicros, pointTime, state } from "../state.js";
import { pager, table } from "../table.js";
import { HOUR, iso } from "../time.js";
import { bold, count, go, heading, note, quiet } from "../words.js";

export function missed(page, path, name) {
  const { from, to, repository, event, cursor } = state.query;
  const since = from ?? iso((pointTime() ?? nowMicros()) - HOUR);
  const query = { subscription: name, missed: true, from: since, to, repository, event, cursor };
  return [
    filters(["subscriptions", name], [FROM, TO, REPOSITORY, EVENT], { tab: "missed" }),
    !from && note("Of the last hour. Say since when to look further back."),
    section(page, (signal) => get("/explain", asOf(query), signal), (found) => shown(found, name), { every: 6 }),
  ];
}

function shown(found, name) {
  return [
    h("p", null, bold(count(found.looked_at)), " webhooks were looked at. ", found.counts.map(counted)),
    table({ rows: found.items, columns: columns(name), caption: "Not received", empty }),
    pager(found.next, found.items.length),
    found.evidence.length > 0 && [heading("Who made it so"), evidence(found.evidence)],
  ];
}

const empty = "It got everything in this range.";

const counted = (one) => [badge(one.reason), ` ${count(one.count)} `, quiet(one.detail), " "];

const columns = (name) => [
  ["Why not", (row) => badge(row.reason)],
  ["More", (row) => row.detail],
  ["Event", (row) => go(eventName(row), ["webhooks", row.guid], { why: name })],
  ["Repository", (row) => row.repository],
  ["Delivery", (row) => row.delivery && id(row.delivery, { href: link(["deliveries", row.delivery]) })],
  ["Last answer", (row) => row.last_answer, "less"],
  ["Received", (row) => time(row.received_at)],
];
