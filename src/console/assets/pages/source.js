// One source, and what was done to it.

import { get } from "../api.js";
import { changesOf } from "../history.js";
import { activity, facts, id, secret, time } from "../parts.js";
import { section } from "../section.js";
import { asOf, hasRole, mayOperate } from "../state.js";
import { steer } from "../switch.js";
import { code, go, heading, lead, note } from "../words.js";

export const source = {
  title: ({ name }) => `Source ${name}`,
  show: (page, { name }) => {
    const path = `/sources/${encodeURIComponent(name)}`;
    return [
      section(page, (signal) => get(path, asOf(), signal), (found) => described(page, path, found)),
      heading("History"),
      changesOf(page, `${path}/history`, "History of the source"),
    ];
  },
};

function described(page, path, found) {
  return [
    lead(activity(found), mayOperate() && hasRole("admin") && flip(page, path, found)),
    found.warning && note(found.warning),
    facts([
      ["Host", found.host],
      ["Address", code(`/webhooks/${found.name}`)],
      ["Allowed from", found.allow.length ? found.allow.join(", ") : "anywhere"],
      ["Webhooks a second", found.rate_per_second ?? "any number"],
      ["Secrets", found.secrets.map(secret)],
      ["Created", time(found.created_at)],
      ["Id", id(found.id, { length: 36 })],
      ["Webhooks", go("what came in", ["webhooks"], { source: found.name })],
    ]),
  ];
}

function flip(page, path, { paused, name, version }) {
  const text = paused
    ? "It takes webhooks again."
    : "It answers 503 until it is resumed; GitHub sends what it refused only when somebody redelivers it.";
  return steer(page, paused ? "resume" : "pause", { path, name, version, text, danger: !paused });
}
