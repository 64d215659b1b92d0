// Why a subscription got a webhook, or did not.

import { all, get } from "../../api.js";
import { h } from "../../dom.js";
import { badge, control, evidence, facts, id, value } from "../../parts.js";
import { navigate } from "../../router.js";
import { section } from "../../section.js";
import { asOf, here, isPast, state } from "../../state.js";
import { table } from "../../table.js";
import { code, heading, lead, note, plain, quiet } from "../../words.js";

/** The question, and the answer for the subscription that the address names. */
export function explained(page, guid) {
  const name = state.query.why;
  const load = (signal) => get(`/explain/${encodeURIComponent(guid)}`, asOf({ subscription: name }), signal);
  return [heading("Why, or why not"), question(page), name && section(page, load, answer, { every: 6 })];
}

function question(page) {
  const names = h("datalist", { id: "names" });
  const look = { id: "why", value: state.query.why, list: "names", required: true, placeholder: "name or id" };
  const input = h("input", { ...look, autocomplete: "off", spellcheck: "false", onfocus: suggest });
  // Suggestions only: without them the question can be asked all the same.
  async function suggest() {
    if (names.hasChildNodes()) return;
    const found = await all("/subscriptions", asOf(), page.signal, 2).catch(() => ({ rows: [] }));
    names.replaceChildren(...found.rows.map((one) => h("option", { value: one.name })));
  }
  const submitted = (event) => {
    event.preventDefault();
    navigate(here({ why: input.value.trim() }));
  };
  const label = h("label", { for: "why" }, "For subscription");
  const button = h("button", { type: "submit" }, "Explain");
  return h("form", { class: "inline", onsubmit: submitted }, label, input, names, button);
}

const answer = (found) => found.receipts.map((receipt) => one(receipt, found.receipts.length > 1));

function one(receipt, isOneOfMany) {
  const { recorded, reason } = receipt;
  return h(
    "section",
    { class: "card", "data-key": receipt.receipt },
    isOneOfMany && h("p", null, "Receipt ", id(receipt.receipt)),
    reason && lead(badge(reason.reason), reason.detail),
    recorded && decision(recorded),
    receipt.differs && note("This release says something else than was recorded at the time. The record counts."),
    evidence(receipt.evidence),
    asked(receipt),
  );
}

const decision = ({ matched, outcome, configuration_offset: offset, error }) =>
  facts([
    ["Recorded", matched ? "it matched" : "it did not match", outcome && `, ${plain(outcome)}`],
    ["Configuration", control(offset)],
    ["Routing failed", error],
  ]);

/** The clauses by the configuration that decided; and by that of now, where it says something else. */
function asked({ recomputed, today }) {
  if (!recomputed) return quiet("The webhook was erased, so its clauses cannot be asked again.");
  const isOther = today && JSON.stringify(today) !== JSON.stringify(recomputed);
  const later = `Clauses, by the configuration of ${isPast() ? "this point" : "now"}`;
  return [clauses("Clauses, by the configuration that decided", recomputed), isOther && clauses(later, today)];
}

const clauses = (title, { clauses: rows }) => [
  h("h3", null, title),
  table({
    rows,
    key: (row) => row.clause,
    caption: title,
    empty: "It has no clauses: it wants everything.",
    columns: [
      ["Holds", (row) => badge(row.holds ? "yes" : "no")],
      ["Clause", (row) => code(row.clause)],
      ["Wanted, one of", (row) => value(row.wanted)],
      ["Found", (row) => value(row.found)],
    ],
  }),
];
