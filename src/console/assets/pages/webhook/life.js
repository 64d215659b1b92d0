// The life of an event in the order in which it happened, told from its receipts, deliveries and looks.

import { outcome } from "../../attempt.js";
import { h } from "../../dom.js";
import { badge, byEvent, control, exact, id, record, subscription } from "../../parts.js";
import { link } from "../../state.js";
import { took } from "../../time.js";
import { bold, count, go, plain, quiet, quote } from "../../words.js";

/** Every moment, the earliest first; then what is due. */
export function life(found) {
  const begin = Math.min(...found.receipts.map((row) => row.received_at));
  const moments = [...found.receipts.flatMap(arrival), ...found.deliveries.flatMap(course), ...found.reads.map(look)];
  moments.sort((a, b) => a.at - b.at);
  const due = found.deliveries.filter((delivery) => delivery.next);
  return h("ol", { class: "life" }, moments.map((moment) => shown(moment, begin)), due.map(upcoming));
}

function shown({ at, kind, words, position, key, appended }, begin) {
  const since = at - begin;
  return h(
    "li",
    { class: kind, "data-key": key ?? `${position} ${kind}` },
    h("span", { class: "when" }, exact(at), quiet(since > 0 && `+${took(since)}`)),
    h("span", { class: "what" }, words),
    h("span", { class: "where" }, record(position, appended)),
  );
}

function arrival(row) {
  const verdict = `Decided: ${row.matches} ${row.matches === 1 ? "subscription matches" : "subscriptions match"}`;
  const configuration = [quiet(" by the configuration of "), control(row.configuration_offset)];
  return [
    {
      at: row.received_at,
      kind: "received",
      position: `webhooks/${row.partition}@${row.offset}`,
      appended: row.appended_at,
      words: ["Received from ", bold(row.source), `, ${count(row.body_bytes)} bytes`],
    },
    {
      at: row.routed_at,
      kind: "decided",
      position: `deliveries/${row.partition}@${row.decision_offset}`,
      appended: row.routed_at,
      words: [row.error ? `Routing failed: ${row.error}` : verdict, configuration],
    },
  ];
}

/** An attempt and the state that it led to are one record, which was appended with the state: they are one moment. */
function course(delivery) {
  const states = new Map(delivery.transitions.map((one) => [one.position, one]));
  const tried = new Set(delivery.attempts.map((attempt) => attempt.position));
  const whose = (words) => [go(words, ["deliveries", delivery.id]), " → ", subscription(delivery), " "];
  const attempts = delivery.attempts.map((attempt, index) => ({
    at: attempt.started_at,
    kind: attempt.verdict,
    position: attempt.position,
    appended: states.get(attempt.position)?.at,
    words: [
      whose(`Attempt ${index + 1}`),
      badge(states.get(attempt.position)?.state ?? attempt.verdict),
      ` ${outcome(attempt)}`,
      quiet(` in ${took(attempt.duration_us)}`),
    ],
  }));
  const others = delivery.transitions.filter((one) => !tried.has(one.position));
  const changes = delivery.changes.map((change) => changed(change, delivery));
  return [...attempts, ...others.map((one) => turned(one, delivery, whose("Delivery"))), ...changes];
}

const turned = (one, delivery, whose) => ({
  at: one.at,
  kind: one.state,
  position: one.position,
  appended: one.at,
  key: `${delivery.id} ${one.position}`,
  words: [whose, badge(one.state), " ", reason(one.reason) ?? (one.state === "open" && "owed")],
});

/** The event that a reason names stands in the life too, with who and why. */
const reason = (text) => byEvent(text)?.kind ?? plain(text);

const changed = (change, delivery) => ({
  at: change.at,
  kind: "changed",
  position: `control/0@${change.offset}`,
  appended: change.at,
  key: `${delivery.id} ${change.event}`,
  words: [bold(change.event_type), ` ${change.about ?? ""} by ${change.actor}`, change.why && quote(change.why)],
});

const look = (read) => ({
  at: read.at,
  kind: "read",
  position: read.position,
  appended: read.at,
  words: ["The body was looked at by ", bold(read.actor), quiet(` from ${read.from}`)],
});

function upcoming(delivery) {
  const whose = id(delivery.id, { href: link(["deliveries", delivery.id]) });
  const held = delivery.held && ` – but ${delivery.held}`;
  return h(
    "li",
    { class: "next", "data-key": `${delivery.id} next` },
    h("span", { class: "when" }, exact(delivery.next)),
    h("span", { class: "what" }, "The next attempt of ", whose, " is due", held),
  );
}
