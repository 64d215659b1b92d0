// The whole life of one event: receipts, decisions, attempts, who looked at it, and why somebody did not get it.

import { all, get } from "../api.js";
import { h } from "../dom.js";
import { eventName, evidence, exact, facts, id, record, time, who } from "../parts.js";
import { section } from "../section.js";
import { asOf } from "../state.js";
import { table } from "../table.js";
import { bold, count, empty, go, heading, lead, note, plain, quiet } from "../words.js";
import { deliveryColumns } from "./deliveries.js";
import { content } from "./webhook/content.js";
import { explained } from "./webhook/explained.js";
import { life } from "./webhook/life.js";

export const webhook = {
  title: ({ guid }) => `Webhook ${guid.slice(0, 8)}`,
  show: (page, { guid }) => {
    const contents = h("div", { class: "contents" });
    const view = (found) => {
      fill(contents, found.receipts, page);
      return whole(found);
    };
    return [section(page, (signal) => load(guid, signal), view), explained(page, guid), contents];
  },
};

async function load(guid, signal) {
  const timeline = get(`/timeline/${encodeURIComponent(guid)}`, asOf(), signal);
  const reads = all("/body-reads", asOf({ guid }), signal, 1);
  const [found, { rows, isWhole }] = await Promise.all([timeline, reads]);
  return { ...found, reads: rows, isWhole };
}

/** What was opened stays open over refreshes, so this is drawn once for each receipt. */
function fill(contents, receipts, page) {
  if (receipts.length && !contents.hasChildNodes()) contents.append(heading("Headers and body"));
  for (const row of receipts) {
    const isThere = [...contents.children].some((child) => child.dataset.key === row.receipt);
    if (!isThere) contents.append(content(row, page));
  }
}

const NOWHERE = "There is no webhook with this GUID here. It may have come later than this point of time.";
const UNREAD = "Nobody, through the API.";
const NOBODY = "Nobody was owed this webhook. Ask below why a subscription did not get it.";

function whole({ receipts, deliveries, configurations, reads, isWhole, ...found }) {
  if (receipts.length === 0) return empty(NOWHERE);
  return [
    receipts.map(receipt),
    heading("Its life"),
    life({ receipts, deliveries, reads, ...found }),
    heading("Deliveries"),
    table({ rows: deliveries, columns: deliveryColumns, caption: "Deliveries of this webhook", empty: NOBODY }),
    heading("Latest change of the configuration before it was decided"),
    evidence(configurations) ?? empty("It was decided before anything was configured."),
    heading("Who looked at the body"),
    !isWhole && note(`These are the latest ${count(reads.length)} looks; hooklog webhook reads gives all.`),
    table({ rows: reads, columns: READS, key: (row) => row.position, caption: "Looks at the body", empty: UNREAD }),
  ];
}

const READS = [
  ["Who", (row) => who(row)],
  ["When", (row) => exact(row.at)],
  ["Travel there", (row) => record(row.position, row.at)],
];

function receipt(row, index) {
  const number = index > 0 && quiet(`receipt ${index + 1}`);
  const mark = (words, look = "") => h("span", { class: `badge ${look}` }, words);
  return h(
    "section",
    { "data-key": row.receipt },
    lead(bold(eventName(row)), row.repository, row.repeats && mark(plain(row.repeats)), number),
    facts([
      ["GUID", id(row.guid, { length: 36 })],
      ["Receipt", id(row.receipt, { length: 36 })],
      ["Source", go(row.source, ["sources", row.source]), quiet(` ${row.host}`)],
      ["Ref", row.git_ref],
      ["Happened", row.event_at && time(row.event_at)],
      ["Received", time(row.received_at)],
      ["Appended", row.appended_at && time(row.appended_at)],
      ["Body", `${count(row.body_bytes)} bytes`],
      (row.erased || row.unparsed) && ["But", row.erased && mark("erased", "dead"), row.unparsed && mark("unparsed")],
      ["Repeats", row.repeats_receipt && id(row.repeats_receipt)],
      ["Routing failed", row.error],
      ["GitHub’s ids", ids(row)],
    ]),
  );
}

function ids({ repository_id: repository, organization_id: organisation, sender_id: sender }) {
  const known = Object.entries({ repository, organisation, sender }).filter(([, number]) => Number.isInteger(number));
  return known.map(([name, number]) => `${name} ${number}`).join(", ") || null;
}
