// One replay: how far it is, what it made, and who steers it.

import { get } from "../api.js";
import { h } from "../dom.js";
import { changesOf } from "../history.js";
import { badge, control, exact, facts, id, tiles, time, value } from "../parts.js";
import { section } from "../section.js";
import { asOf, link, mayOperate } from "../state.js";
import { steer } from "../switch.js";
import { bold, code, count, heading, lead, plain, quiet, quote } from "../words.js";
import { progress } from "./replays.js";

export const replay = {
  title: ({ id: name }) => `Replay ${name.slice(0, 8)}`,
  show: (page, { id: name }) => {
    const path = `/replays/${encodeURIComponent(name)}`;
    return [
      section(page, (signal) => get(path, asOf(), signal), (found) => whole(page, path, found)),
      heading("History"),
      changesOf(page, `${path}/history`, "History of the replay"),
    ];
  },
};

function whole(page, path, found) {
  const { spec } = found;
  const clauses = Object.entries(spec.filter ?? {});
  const words = `${count(found.looked_at)} of ${count(found.webhooks)} webhooks looked at`;
  return [
    lead(badge(found.state), progress(found), words, commands(page, path, found)),
    made(found),
    facts([
      ["Mode", plain(found.mode), typeof spec.mode === "object" && value(spec.mode)],
      ["Only for", spec.subscription && id(spec.subscription, { href: link(["subscriptions", spec.subscription]) })],
      ["To", spec.to && code(spec.to)],
      ["Filter", clauses.length ? clauses.map(clause) : "everything in the range"],
      ["Pace", `${spec.rate_per_second} a second`],
      ["Left out", left(found)],
      ["Asked for", exact(found.requested_at), " by ", bold(found.actor), found.why && quote(found.why)],
      ["Started", time(found.started_at)],
      ["Decided", time(found.finished_at)],
      ["Record", control(found.offset, found.requested_at)],
      ["Id", id(found.id, { length: 36 })],
    ]),
  ];
}

function made(found) {
  const of = (state) => link(["deliveries"], { replay: found.id, state });
  const states = ["open", "delivered", "dead", "cancelled"].map((state) => [plain(state), found[state], of(state)]);
  return tiles([["owed", found.owed, of()], ...states]);
}

/** Times in a filter are microseconds, as everywhere. */
const clause = ([name, wanted]) =>
  h("span", { class: "clause" }, quiet(`${name} `), typeof wanted === "number" ? exact(wanted) : value(wanted));

function left({ filtered, unmatched, repeats, skipped: erased, left_out: deleted }) {
  const all = Object.entries({ filtered, unmatched, repeats, erased, "of deleted subscriptions": deleted });
  const some = all.filter(([, number]) => number > 0).map(([name, number]) => `${count(number)} ${name}`);
  return some.join(", ") || "nothing";
}

function commands(page, path, { state, open, version }) {
  const isOver = state === "cancelled" || (state === "finished" && open === 0);
  if (isOver || !mayOperate()) return null;
  const what = { path, name: "the replay", version };
  return [
    state === "paused"
      ? steer(page, "resume", { ...what, text: "It goes on where it was." })
      : steer(page, "pause", { ...what, text: "Nothing of it is decided or tried until it is resumed." }),
    steer(page, "cancel", { ...what, text: "Its open deliveries are cancelled, and no more are made.", danger: true }),
  ];
}
