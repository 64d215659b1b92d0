// One subscription: what it wants, who made it so, what it received, and what it did not get.

import { get } from "../api.js";
import { outcome } from "../attempt.js";
import { h } from "../dom.js";
import { FROM, TO, filters } from "../filters.js";
import { changesOf } from "../history.js";
import { activity, badge, control, evidence, exact, facts, id, secret, setting, time, value, who } from "../parts.js";
import { section } from "../section.js";
import { asOf, link, mayOperate, state } from "../state.js";
import { steer } from "../switch.js";
import { list, table } from "../table.js";
import { bold, code, go, lead, quiet, quote } from "../words.js";
import { deliveryColumns } from "./deliveries.js";
import { missed } from "./missed.js";
import { wants } from "./subscriptions.js";

const TABS = [
  ["", "Description", described],
  ["blame", "Who set what", blame],
  ["history", "History", (page, path) => changesOf(page, `${path}/history`, "History of the subscription")],
  ["received", "Received", received],
  ["missed", "Not received", missed],
];

export const subscription = {
  title: ({ name }) => `Subscription ${name}`,
  show: (page, { name }) => {
    const [chosen, , shown] = TABS.find(([key]) => key === state.query.tab) ?? TABS[0];
    const look = (key) => ({ id: `tab-${key}`, "aria-current": key === chosen && "page" });
    const tab = ([key, words]) => h("a", { href: link(["subscriptions", name], { tab: key }), ...look(key) }, words);
    const tabs = h("nav", { class: "tabs", "aria-label": "About this subscription" }, TABS.map(tab));
    return [tabs, shown(page, `/subscriptions/${encodeURIComponent(name)}`, name)];
  },
};

function described(page, path) {
  return section(page, (signal) => get(path, asOf(), signal), (found) => [
    lead(activity(found), quiet(`team ${found.team}`), flip(page, path, found)),
    facts([
      ["Destination", code(found.to)],
      ["Wants", wants(found.filter)],
      ["Signed", found.sign],
      ["Policy", policy(found.policy)],
      ["Created", time(found.created_at)],
      ["Secrets", found.secrets.length ? found.secrets.map(secret) : "none"],
      ["Id", id(found.id, { length: 36 })],
      ["Deliveries", deliveriesOf(found.name)],
    ]),
  ]);
}

function deliveriesOf(subscription) {
  const all = go("all", ["deliveries"], { subscription });
  const open = go("open", ["deliveries"], { subscription, state: "open" });
  return [all, " · ", open, " · ", go("dead letters", ["dead-letters"], { subscription })];
}

function policy(found) {
  const set = Object.entries(found).filter(([, setting]) => setting !== null && setting !== undefined);
  if (set.length === 0) return quiet("the server’s defaults");
  return set.map(([name, setting]) => h("span", { class: "clause" }, quiet(`${name} `), value(setting)));
}

function flip(page, path, { paused, name, version }) {
  if (!mayOperate()) return null;
  const text = paused
    ? "Its open deliveries are tried again as they become due."
    : "Its deliveries wait until it is resumed; nothing is lost.";
  return steer(page, paused ? "resume" : "pause", { path, name, version, text });
}

function blame(page, path) {
  const view = ({ lives }) => lives.map((life) => lived(life, lives.length > 1));
  return section(page, (signal) => get(`${path}/blame`, asOf(), signal), view, { every: 6 });
}

function lived(life, isOneOfMany) {
  const whose = id(life.id, { href: link(["subscriptions", life.id]), length: 36 });
  return h(
    "section",
    { "data-key": life.id },
    (isOneOfMany || life.deleted) && lead(bold(life.name), whose, life.deleted && badge("deleted")),
    life.deleted && evidence([life.deleted]),
    table({ rows: life.fields, columns: BLAMED, key: (row) => row.field, caption: `Who set what of ${life.name}` }),
  );
}

const BLAMED = [
  ["Field", (row) => code(row.field)],
  ["Is", (row) => setting(row.field, row.value)],
  ["Was", (row) => setting(row.field, row.was)],
  ["Who", (row) => who(row.by)],
  ["When", (row) => exact(row.by.at)],
  ["Why", (row) => row.by.why && quote(row.by.why)],
  ["Travel there", (row) => control(row.by.offset, row.by.at)],
];

const RECEIVED = [
  ...deliveryColumns.filter(([head]) => !["Subscription", "Why", "Changed"].includes(head)),
  ["Last answer", ({ last_attempt: last }) => last && [outcome(last), " ", quiet(exact(last.started_at))]],
];

function received(page, path, name) {
  const { from, to } = state.query;
  const empty = "It received nothing in this range. What it did not get, and why, is under “Not received”.";
  const look = { caption: "What it received", columns: RECEIVED, empty };
  return [
    filters(["subscriptions", name], [FROM, TO], { tab: "received" }),
    list(page, { path: `${path}/received`, query: { from, to }, ...look }),
  ];
}
