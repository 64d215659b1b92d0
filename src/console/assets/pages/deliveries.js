// What was owed to whom, and what became of it.

import { EVENT, filters, FROM, GUID, REPLAY, REPOSITORY, SOURCE, SUBSCRIPTION, TO } from "../filters.js";
import { badge, byEvent, eventName, id, repository, subscription, time } from "../parts.js";
import { link, state } from "../state.js";
import { list } from "../table.js";
import { go, plain } from "../words.js";

const FIELDS = [
  SUBSCRIPTION,
  REPOSITORY,
  EVENT,
  { name: "state", label: "State", choices: ["open", "dead", "delivered", "cancelled"] },
  SOURCE,
  FROM,
  TO,
  { name: "attempted_from", label: "Attempted from", time: true, more: true },
  { name: "attempted_to", label: "Attempted before", time: true, more: true },
  REPLAY,
  GUID,
];

/** What a state does not say: what it waits for, or why it ended. */
export function why(row) {
  if (row.held) return row.held;
  if (row.state === "open" && row.due_at) return ["due ", time(row.due_at)];
  return byEvent(row.reason)?.kind ?? plain(row.reason);
}

export const deliveryColumns = [
  ["State", (row) => badge(row.state)],
  ["Event", (row) => go(eventName(row), ["deliveries", row.id])],
  ["Repository", repository],
  ["Subscription", subscription],
  ["Attempts", (row) => row.attempts_made, "number"],
  ["Why", (row) => why(row)],
  ["Delivery", (row) => id(row.id, { href: link(["deliveries", row.id]) }), "less"],
  ["Changed", (row) => time(row.changed_at)],
  ["Received", (row) => time(row.received_at), "less"],
];

const empty =
  "No delivery fits. Widen the filter, or look at another point of time. What nobody wants has no delivery.";

export const deliveries = {
  title: () => "Deliveries",
  show: (page) => [
    filters(["deliveries"], FIELDS),
    list(page, { path: "/deliveries", query: state.query, caption: "Deliveries", columns: deliveryColumns, empty }),
  ],
};
