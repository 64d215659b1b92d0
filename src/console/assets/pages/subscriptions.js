// Who wants what.

import { h } from "../dom.js";
import { activity, long, time, value } from "../parts.js";
import { navigate } from "../router.js";
import { link } from "../state.js";
import { list } from "../table.js";
import { go, quiet } from "../words.js";

const columns = [
  ["State", (row) => activity(row)],
  ["Name", (row) => go(long(row.name), ["subscriptions", row.name])],
  ["Team", (row) => row.team],
  ["Destination", (row) => h("code", { class: "long", title: row.to }, row.to)],
  ["Wants", (row) => wants(row.filter)],
  ["Signed", (row) => row.sign, "less"],
  ["Created", (row) => time(row.created_at), "less"],
];

const empty = "No subscriptions here. Create one with: hooklog subscription create NAME --to https://…";

export const subscriptions = {
  title: () => "Subscriptions",
  show: (page) => [byName(), list(page, { path: "/subscriptions", caption: "Subscriptions by name", columns, empty })],
};

/** What a filter asks for, clause by clause. */
export function wants(filter) {
  const clauses = Object.entries(filter).filter(([, words]) => words?.length);
  if (clauses.length === 0) return "everything";
  return clauses.map(([name, words]) => h("span", { class: "clause" }, quiet(`${name} `), value(words)));
}

/** The API lists by name and does not search, so a name leads straight to its page. */
function byName() {
  const look = { id: "by-name", placeholder: "name or id, also of a deleted one", "data-first": true };
  const input = h("input", { ...look, required: true, autocomplete: "off", spellcheck: "false" });
  const onsubmit = (event) => {
    event.preventDefault();
    navigate(link(["subscriptions", input.value.trim()]));
  };
  const label = h("label", { for: "by-name" }, "Subscription");
  const button = h("button", { type: "submit" }, "Open");
  return h("form", { class: "inline", role: "search", "aria-label": "Open by name", onsubmit }, label, input, button);
}
