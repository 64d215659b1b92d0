// The server as it is now: its parts, its tables, its log.

import { get } from "../api.js";
import { h } from "../dom.js";
import { badge, facts, hasNoPast, id, time, value } from "../parts.js";
import { section } from "../section.js";
import { table } from "../table.js";
import { code, count, heading, note } from "../words.js";
import { parts } from "./overview.js";

export const system = {
  title: () => "System",
  hasPast: false,
  show: (page) => [
    hasNoPast("This page"),
    section(page, (signal) => get("/status", {}, signal), status),
    heading("Sets of tables"),
    section(page, (signal) => get("/projections", {}, signal), tables),
    heading("Processes and formats"),
    section(page, (signal) => get("/format", {}, signal), format, { every: 6 }),
  ],
};

/** `counts 2`, and after an upgrade `counts 1 (2 once it is rebuilt)`. */
function version({ name, version, latest }) {
  const old = version !== latest && ` (${latest} once it is rebuilt)`;
  return `${name} ${version ?? "–"}${old || ""}`;
}

function status(found) {
  const projections = found.projections.map(version);
  return [
    facts([
      ["Release", found.build],
      ["Log", found.log_id && id(found.log_id, { length: 36 })],
      ["Configuration", code(`control/0@${found.configuration_offset ?? "–"}`)],
      ["Your token", `${found.token.name}, with the role ${found.token.role}`],
      ["Projections", projections.length ? value(projections) : "they cannot be read now"],
    ]),
    heading("Parts"),
    parts(found),
    own(found.own_projections),
    heading("The log"),
    partitions(found.partitions),
  ];
}

/** From the first offset that can be read to the first that is not written yet, a column for each topic. */
function partitions(found) {
  const numbers = [...new Set(found.map((one) => one.partition))];
  const bounds = (topic, number) => found.find((one) => one.topic === topic && one.partition === number);
  const column = (topic) => [topic, (number) => range(bounds(topic, number)), "number"];
  const columns = [["Partition", (number) => number], column("webhooks"), column("deliveries"), column("control")];
  return table({ rows: numbers, key: (number) => number, caption: "First and next offset of each partition", columns });
}

const range = (bounds) => bounds && `${count(bounds.start)} – ${count(bounds.tail)}`;

function own(rows) {
  if (rows.length === 0) return null;
  const columns = [
    ["Projection", (row) => row.name],
    ["State", (row) => badge(row.state)],
    ["Answers", (row) => row.answers, "number"],
    ["Described", (row) => row.version, "number"],
    ["Records not read yet", (row) => row.lag, "number"],
    ["Error", (row) => row.error],
  ];
  const title = "Projections of your own";
  return [heading(title), table({ rows, columns, key: (row) => row.name, caption: title })];
}

const SETS = [
  ["State", (row) => badge(row.kind)],
  ["Set", (row) => code(row.set)],
  ["Projections", (row) => value(row.projections.map((one) => `${one.name} ${one.version ?? "–"}`))],
  ["Records", (row) => count(row.folded), "number"],
  ["Since", (row) => row.since && time(row.since)],
];

const tables = ({ work, last, items }) => [
  work && working(work),
  last?.error && note(`The last ${last.what} failed: ${last.error}`),
  table({ rows: items, columns: SETS, key: (row) => row.set, caption: "Sets of tables", empty: "None are kept here." }),
];

function working({ what, phase, folded, total }) {
  const bar = h("progress", { value: folded, max: Math.max(total, 1), "aria-label": "Progress" });
  return note(`Under way: ${what}, ${phase ?? "beginning"}, ${count(folded)} of ${count(total)} records. `, bar);
}

const STARTS = [
  ["Started", (row) => time(row.at)],
  ["Role", (row) => row.role],
  ["Release", (row) => row.build],
  ["Host", (row) => row.host],
  ["Format", (row) => row.format, "number"],
  ["Process", (row) => id(row.process)],
];

const format = (found) => [
  h("p", null, `Format ${found.in_force} is in force; this release reads up to ${found.highest}.`),
  table({ rows: found.starts, key: (row) => row.process, caption: "The latest starts of processes", columns: STARTS }),
];
