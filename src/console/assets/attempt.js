// One attempt: where it went, how it ended, and where its time was spent.

import { h, s } from "./dom.js";
import { badge, control, exact, facts, record } from "./parts.js";
import { took } from "./time.js";
import { bold, code, plain, quiet } from "./words.js";

const PHASES = [
  ["resolve", "name resolved", "resolve_us"],
  ["connect", "connected", "connect_us"],
  ["wait", "answered", "headers_us"],
  ["read", "ended", "duration_us"],
];

/** `HTTP 503` or `connection refused`: how it ended, in a word. */
export const outcome = ({ status, error }) => (status ? `HTTP ${status}` : plain(error ?? "no answer"));

/** The head of an attempt, which opens to all that is known of it. `place` counts from 1 over redrives. */
export function attemptDetails(attempt, place, isOpen) {
  const head = h(
    "summary",
    null,
    h("span", { class: "place" }, `#${place}`),
    badge(attempt.verdict),
    bold(outcome(attempt)),
    quiet(took(attempt.duration_us)),
    exact(attempt.started_at),
  );
  return h("details", { class: "attempt", "data-key": attempt.position, open: isOpen }, head, attemptFacts(attempt));
}

function attemptFacts(attempt) {
  return [
    facts([
      ["Target", code(attempt.target)],
      ["Address", attempt.address && code(attempt.address)],
      ["Outcome", outcome(attempt), attempt.detail && quiet(` ${attempt.detail}`)],
      ["Then", badge(attempt.verdict)],
      ["Attempt", `${attempt.number} since it was owed or redriven`],
      ["Started", exact(attempt.started_at)],
      ["Phases", phases(attempt)],
      ["Headers sent", attempt.headers_sha256 && hash(attempt.headers_sha256)],
      ["Configuration", control(attempt.configuration_offset)],
      ["Record", record(attempt.position)],
    ]),
    attempt.excerpt ? excerpt(attempt.excerpt) : h("p", { class: "quiet" }, "No excerpt of the answer is kept."),
  ];
}

function excerpt(text) {
  const words = "What the target answered";
  const body = h("pre", { tabindex: "0", role: "region", "aria-label": words }, text);
  return h("figure", { class: "excerpt" }, h("figcaption", null, words), body);
}

const hash = (digest) => {
  const title = "SHA-256 over them, but for what differs in every attempt";
  return h("code", { title }, `sha256 ${digest.slice(0, 16)}…`);
};

/** What took how long: each phase ends where the next one begins; one that there was not has no part. */
export function spans(attempt) {
  let from = 0;
  return PHASES.flatMap(([look, word, field]) => {
    const to = attempt[field];
    if (to === null || to === undefined || to < from) return [];
    const one = { look, word, from, length: to - from };
    from = to;
    return [one];
  });
}

/** The phases as parts of a bar, with their lengths beside it. */
export function phases(attempt) {
  const all = Math.max(attempt.duration_us, 1);
  const found = spans(attempt);
  const words = found.map(({ word, length }) => `${word} ${took(length)}`).join(", ");
  const share = (length) => (length / all) * 100;
  const rect = ({ look, from, length }) =>
    s("rect", { class: look, x: share(from), width: Math.max(share(length), 0.5), y: 0, height: 8 });
  const legend = ({ look, word, length }) => h("span", { class: `legend ${look}` }, `${word} ${took(length)}`);
  const look = { class: "phases", viewBox: "0 0 100 8", preserveAspectRatio: "none", role: "img", "aria-label": words };
  return [s("svg", look, found.map(rect)), h("span", { class: "legends" }, found.map(legend))];
}
