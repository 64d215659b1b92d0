// One delivery: its attempts as GitHub shows them, its states over time, and two attempts compared.

import { get } from "../api.js";
import { attemptDetails, phases } from "../attempt.js";
import { h } from "../dom.js";
import { badge, byEvent, control, eventName, evidence, exact, facts, id, record } from "../parts.js";
import { subscription, time, value, who } from "../parts.js";
import { navigate } from "../router.js";
import { problem, section } from "../section.js";
import { asOf, here, link, mayOperate, state } from "../state.js";
import { table } from "../table.js";
import { took } from "../time.js";
import { bold, code, empty, go, heading, lead, plain, quiet, quote } from "../words.js";
import { redrive } from "./dead_letters.js";
import { why } from "./deliveries.js";

export const delivery = {
  title: ({ id: name }) => `Delivery ${name.slice(0, 8)}`,
  show: (page, { id: name }) => {
    const path = `/deliveries/${encodeURIComponent(name)}`;
    return section(page, (signal) => load(path, signal), (found) => shown(page, found));
  },
};

async function load(path, signal) {
  const [found, comparison] = await Promise.all([get(path, asOf(), signal), comparing(path, signal)]);
  const isNamed = found.transitions.some((one) => byEvent(one.reason));
  return { ...found, comparison, changes: isNamed ? await changesDuring(found, signal) : [] };
}

/** The comparison that the address asks for. What is wrong with it is told in its place, since the rest is right. */
async function comparing(path, signal) {
  const { first, second } = state.query;
  if (!second) return null;
  try {
    return compared(await get(`${path}/attempts/diff`, asOf({ first, second }), signal));
  } catch (error) {
    if (error.name === "AbortError") throw error;
    return problem(error);
  }
}

/** Who redrove, cancelled or paused it: the life of the webhook has it. Without it the states still say what was. */
async function changesDuring({ guid, id: name }, signal) {
  const life = await get(`/timeline/${encodeURIComponent(guid)}`, asOf(), signal).catch(() => ({ deliveries: [] }));
  return life.deliveries.find((one) => one.id === name)?.changes ?? [];
}

const shown = (page, found) => [
  lead(badge(found.state), bold(eventName(found)), where(found), subscription(found), again(page, found)),
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
  found.comparison && h("div", { class: "compared" }, found.comparison),
  heading("States over time"),
  table({ rows: found.transitions, key: (row) => row.position, caption: "States over time", columns: states(found) }),
];

const where = ({ repository }) => [repository && h("span", null, repository), h("span", null, "→")];
const again = (page, found) => found.state === "dead" && mayOperate() && redrive(page, found);

const states = (found) => [
  ["State", (row) => badge(row.state)],
  ["At", (row) => exact(row.at)],
  ["Why", (row) => because(row.reason, found)],
  ["Next attempt due", (row) => row.due_at && exact(row.due_at)],
  ["Travel there", (row) => record(row.position, row.at)],
];

/** A reason in words; of one that names an event, who did that and why. */
function because(reason, { changes, guid }) {
  const by = byEvent(reason);
  if (!by) return plain(reason);
  const change = changes.find((one) => one.event === by.event);
  if (!change) return [by.kind, ": ", go("see the life of the webhook", ["webhooks", guid])];
  const place = control(change.offset, change.at);
  return [change.event_type, " by ", who(change), " ", place, change.why && quote(change.why)];
}

function attempts(found) {
  if (found.length === 0) return empty("No attempt was made yet.");
  const last = found.length;
  const all = found.map((attempt, index) => attemptDetails(attempt, index + 1, index + 1 === last));
  return [h("div", { class: "attempts" }, all.reverse()), last > 1 && chooser(last)];
}

/** The id of the heading to which the eye, and the focus, go from the chooser. */
const COMPARED = "compared";

function chooser(last) {
  const { first = last - 1, second = last } = state.query;
  const places = Array.from({ length: last }, (_, index) => index + 1);
  const option = (place, chosen) => h("option", { value: place, selected: place === Number(chosen) }, `#${place}`);
  const choice = (name, chosen) => h("select", { id: name, name }, places.map((place) => option(place, chosen)));
  const submitted = (event) => {
    event.preventDefault();
    navigate(here(Object.fromEntries(new FormData(event.currentTarget))), { focus: COMPARED });
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
    h("h2", { id: COMPARED, tabindex: "-1" }, `Attempt #${one} compared with #${two}`),
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
