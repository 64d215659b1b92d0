// One delivery: its attempts as GitHub shows them, its states over time, and two attempts compared.

import { get } from "../api.js";
import { attemptDetails, phases } from "../attempt.js";
import { h } from "../dom.js";
import { badge, eventName, evidence, exact, facts, id, record, subscription, time, value } from "../parts.js";
import { navigate } from "../router.js";
import { section } from "../section.js";
import { asOf, here, link, mayOperate, state } from "../state.js";
import { table } from "../table.js";
import { took } from "../time.js";
import { bold, code, empty, go, heading, lead, plain, quiet } from "../words.js";
import { redrive } from "./dead_letters.js";
import { why } from "./deliveries.js";

export const delivery = {
  title: ({ id: name }) => `Delivery ${name.slice(0, 8)}`,
  show: (page, { id: name }) => {
    const path = `/deliveries/${encodeURIComponent(name)}`;
    const { first, second } = state.query;
    const compare = (signal) => get(`${path}/attempts/diff`, asOf({ first, second }), signal);
    const whole = section(page, (signal) => get(path, asOf(), signal), (found) => shown(page, found));
    return [whole, second && section(page, compare, compared)];
  },
};

const shown = (page, found) => [
  lead(badge(found.state), bold(eventName(found)), found.repository, "→", subscription(found), again(page, found)),
  facts([
    ["State", badge(found.state), " ", why(found)],
    ["Destination", code(found.destination)],
    ["Subscription", subscription(found), quiet(` team ${found.team}`)],
    ["Webhook", id(found.guid, { href: link(["webhooks", found.guid]), length: 36 })],
    ["Source", go(found.source, ["sources", found.source]), quiet(` ${found.host}`)],
    ["Cause", found.cause === "live" ? "live" : ["replay ", id(found.cause, { href: link(["replays", found.cause]) })]],
    ["Received", time(found.received_at)],
    ["Owed", time(found.created_at)],
    ["Delivery", id(found.id, { length: 36 })],
  ]),
  heading(`Attempts (${found.attempts.length})`),
  attempts(found.attempts),
  heading("States over time"),
  table({ rows: found.transitions, key: (row) => row.position, caption: "States over time", columns: STATES }),
];

const again = (page, found) => found.state === "dead" && mayOperate() && redrive(page, found);

const STATES = [
  ["State", (row) => badge(row.state)],
  ["At", (row) => exact(row.at)],
  ["Why", (row) => plain(row.reason)],
  ["Next attempt due", (row) => row.due_at && exact(row.due_at)],
  ["Travel there", (row) => record(row.position, row.at)],
];

function attempts(found) {
  if (found.length === 0) return empty("No attempt was made yet.");
  const last = found.length;
  const all = found.map((attempt, index) => attemptDetails(attempt, index + 1, index + 1 === last));
  return [h("div", { class: "attempts" }, all.reverse()), last > 1 && chooser(last)];
}

function chooser(last) {
  const { first = last - 1, second = last } = state.query;
  const places = Array.from({ length: last }, (_, index) => index + 1);
  const option = (place, chosen) => h("option", { value: place, selected: place === Number(chosen) }, `#${place}`);
  const choice = (name, chosen) => h("select", { id: name, name }, places.map((place) => option(place, chosen)));
  const submitted = (event) => {
    event.preventDefault();
    navigate(here(Object.fromEntries(new FormData(event.currentTarget))));
  };
  return h(
    "form",
    { class: "inline", onsubmit: submitted },
    h("label", { for: "first" }, "Compare"),
    choice("first", first),
    h("label", { for: "second" }, "with"),
    choice("second", second),
    h("button", { type: "submit" }, "Compare"),
  );
}

function compared({ differences, same, between, first, second, first_place: one, second_place: two }) {
  const rows = [...differences, { field: "phases", was: phases(first), now: phases(second) }];
  const columns = [
    ["Fact", (row) => code(row.field)],
    [`#${one}`, (row) => fact(row.field, row.was)],
    [`#${two}`, (row) => fact(row.field, row.now)],
  ];
  return [
    heading(`Attempt #${one} compared with #${two}`),
    table({ rows, columns, key: (row) => row.field, caption: "What differs between the two attempts" }),
    same.length > 0 && quiet(`The same in both: ${same.join(", ")}.`),
    between.length > 0 && [heading("What was done to the subscription in between"), evidence(between)],
  ];
}

/** Numbers of microseconds are times or lengths, as their names say. */
function fact(name, json) {
  if (name === "phases") return json;
  if (typeof json === "number" && name.endsWith("_at")) return exact(json);
  return typeof json === "number" && name.endsWith("_us") ? took(json) : value(json);
}
