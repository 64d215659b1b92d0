// History that is delivered again.

import { h } from "../dom.js";
import { badge, id, time } from "../parts.js";
import { link } from "../state.js";
import { list } from "../table.js";
import { plain, quote } from "../words.js";

const columns = [
  ["State", (row) => badge(row.state)],
  ["Replay", (row) => id(row.id, { href: link(["replays", row.id]) })],
  ["Mode", (row) => plain(row.mode)],
  ["Progress", (row) => progress(row)],
  ["Owed", (row) => row.owed, "number"],
  ["Open", (row) => row.open, "number"],
  ["Dead", (row) => row.dead, "number"],
  ["Who", (row) => row.actor],
  ["Why", (row) => row.why && quote(row.why)],
  ["Asked for", (row) => time(row.requested_at)],
];
const empty = "No replays here. Begin one with: hooklog replay create (see hooklog replay create --help).";

export const replays = {
  title: () => "Replays",
  show: (page) => list(page, { path: "/replays", caption: "Replays, the latest first", columns, empty }),
};

/** How much of the range was looked at. */
export function progress({ webhooks, looked_at: seen }) {
  const words = `${webhooks ? Math.floor(Math.min(1, seen / webhooks) * 100) : 100} %`;
  const bar = h("progress", { value: seen, max: Math.max(webhooks, 1), "aria-label": `Looked at ${words}` });
  return h("span", { class: "progress" }, bar, ` ${words}`);
}
