// Everything that came in.

import { EVENT, filters, FROM, GUID, REPOSITORY, SOURCE, SUBSCRIPTION, TO } from "../filters.js";
import { badge, eventName, id, repository, time } from "../parts.js";
import { link, state } from "../state.js";
import { list } from "../table.js";
import { go } from "../words.js";

const FIELDS = [
  REPOSITORY,
  EVENT,
  { name: "state", label: "State", choices: ["matched", "unmatched", "unparsed", "error"] },
  SUBSCRIPTION,
  SOURCE,
  { name: "host", label: "Host", more: true },
  FROM,
  TO,
  { name: "event_from", label: "Happened from", time: true, more: true },
  { name: "event_to", label: "Happened before", time: true, more: true },
  { name: "appended_from", label: "Appended from", time: true, more: true },
  { name: "appended_to", label: "Appended before", time: true, more: true },
  GUID,
];

const stateOf = (row) => (row.error ? "error" : row.unparsed ? "unparsed" : row.matches > 0 ? "matched" : "unmatched");

const columns = [
  ["State", (row) => badge(row.erased ? "erased" : stateOf(row))],
  ["Event", (row) => go(eventName(row), ["webhooks", row.guid])],
  ["Repository", repository],
  ["Ref", (row) => row.git_ref?.replace("refs/heads/", ""), "less"],
  ["Source", (row) => row.source, "less"],
  ["Matches", (row) => row.matches, "number"],
  ["Repeats", (row) => row.repeats && badge(row.repeats), "less"],
  ["GUID", (row) => id(row.guid, { href: link(["webhooks", row.guid]) })],
  ["Received", (row) => time(row.received_at)],
];

const empty =
  "No webhook fits. Widen the filter, or look at another point of time. Where there is no filter, nothing came in: " +
  "see whether there is a source.";

export const webhooks = {
  title: () => "Webhooks",
  show: (page) => [
    filters(["webhooks"], FIELDS),
    list(page, { path: "/webhooks", query: state.query, caption: "Webhooks", columns, empty }),
  ],
};
