// Deliveries that were given up: why, and the way to try them again.

import { post } from "../api.js";
import { command } from "../command.js";
import { EVENT, filters, FROM, GUID, REPLAY, REPOSITORY, SOURCE, SUBSCRIPTION, TO } from "../filters.js";
import { eventName, id, repository, subscription, time } from "../parts.js";
import { link, mayOperate, state } from "../state.js";
import { list } from "../table.js";
import { go, plain } from "../words.js";

const FIELDS = [SUBSCRIPTION, REPOSITORY, EVENT, FROM, TO, SOURCE, REPLAY, GUID];

/** Tries one delivery again, from its first attempt. */
export function redrive(page, row) {
  const act = async ({ reason }) => {
    const asked = await post("/dead-letters/redrive", { scope: { deliveries: [row.id] }, reason });
    if (!asked.command) return "It is no dead letter any more, so nothing was done.";
    return `The redrive is on record as control/0@${asked.offset}.`;
  };
  const where = row.repository ? ` of ${row.repository}` : "";
  const what = `${eventName(row)}${where}, delivery ${row.id.slice(0, 8)}`;
  const text = `${what}, is tried again from attempt 1, at the destination that the subscription has now.`;
  const title = `Redrive ${row.event} to ${row.subscription}`;
  return command(page, { label: "Redrive", title, text, act, done: page.refresh });
}

const columns = (page) => [
  ["Event", (row) => go(eventName(row), ["deliveries", row.id])],
  ["Repository", repository],
  ["Subscription", subscription],
  ["Reason", (row) => plain(row.reason)],
  ["Attempts", (row) => row.attempts_made, "number"],
  ["Delivery", (row) => id(row.id, { href: link(["deliveries", row.id]) }), "less"],
  ["Died", (row) => time(row.died_at)],
  mayOperate() && ["Command", (row) => redrive(page, row)],
];

const empty = "No dead letter fits. That is good news, unless a filter or a point of time hides them.";

export const deadLetters = {
  title: () => "Dead letters",
  show: (page) => [
    filters(["dead-letters"], FIELDS),
    list(page, { path: "/dead-letters", query: state.query, caption: "Dead letters", columns: columns(page), empty }),
  ],
};
