// Lists: a table with its head, its pages by the API's cursor, and what to do when it is empty.

import { get } from "./api.js";
import { h, shown } from "./dom.js";
import { section } from "./section.js";
import { asOf, here, state } from "./state.js";
import { empty, quiet } from "./words.js";

/**
 * The page of a list that the address asks for. `columns` are `[head, row => cell, class]`, `query` the clauses of the
 * API; `key` names a row, by its id or its receipt if it is not given.
 */
export function list(page, { path, query = {}, ...look }) {
  const load = (signal) => get(path, asOf({ ...query, cursor: state.query.cursor }), signal);
  return section(page, load, ({ items, next }) => [table({ rows: items, ...look }), pager(next, items.length)]);
}

/**
 * A table of rows that are there already. On narrow screens each row becomes a card. Roles are said, since cards take
 * the display of a table away, and with it what it means to a screen reader.
 */
export function table({ rows, columns, key = rowId, caption, empty: words = "Nothing here." }) {
  if (rows.length === 0) return empty(words);
  const used = columns.filter(Boolean);
  const head = h("tr", { role: "row" }, used.map(title));
  const cells = (row) => used.map((column) => cell(column, row));
  const body = rows.map((row) => h("tr", { role: "row", "data-key": key(row) }, cells(row)));
  return h(
    "div",
    { class: "scroll", role: "region", "aria-label": caption, tabindex: "0" },
    h(
      "table",
      { role: "table", "aria-label": caption },
      h("thead", { role: "rowgroup" }, head),
      h("tbody", { role: "rowgroup" }, body),
    ),
  );
}

const rowId = (row) => row.id ?? row.receipt;

const title = ([head, , look]) => h("th", { scope: "col", role: "columnheader", class: look }, head);

/** What stands in a cell stays together beside its head where each row is a card. */
function cell([head, show, look], row) {
  const content = shown([show(row)]);
  return h("td", { role: "cell", "data-head": head, class: look }, content.length > 0 && h("div", null, content));
}

/** The ways to the other pages of a list. */
export function pager(next, count) {
  const isLater = Boolean(state.query.cursor);
  if (!next && !isLater) return count > 1 && h("p", { class: "pager quiet" }, `${count} rows, all of them`);
  return h(
    "nav",
    { class: "pager", "aria-label": "Pages" },
    isLater && h("a", { href: here({}), class: "button" }, "⇤ First page"),
    quiet(`${count} rows`),
    next && h("a", { href: here({ cursor: next }), class: "button", rel: "next" }, "Older →"),
  );
}
