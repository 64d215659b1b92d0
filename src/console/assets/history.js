// What was done to something, the latest first: who, when, from where, why; each with its place in the log.

import { h } from "./dom.js";
import { badge, control, exact, value, who } from "./parts.js";
import { list } from "./table.js";
import { bold, quote } from "./words.js";

const columns = [
  ["What", (row) => [bold(row.event_type), " ", row.outcome !== "applied" && badge(row.outcome)]],
  ["Who", (row) => who(row)],
  ["When", (row) => exact(row.at)],
  ["Why", (row) => row.why && quote(row.why)],
  ["Description", (row) => row.spec && h("details", null, h("summary", null, "all of it"), value(row.spec))],
  ["Travel there", (row) => control(row.offset, row.at)],
];

/** The history at a path of the API. */
export const changesOf = (page, path, caption) =>
  list(page, { path, key: (row) => row.event, caption, columns, empty: "Nothing was done to it up to this point." });
