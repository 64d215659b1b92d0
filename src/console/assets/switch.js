// Pausing and resuming: the same for subscriptions, sources and replays.

import { post } from "./api.js";
import { command } from "./command.js";

/**
 * A button that does `verb` (`pause`, `resume`, `cancel`) to what is at `path` of the API. The version that was seen
 * goes with the command, so that whoever changes it meanwhile is not overruled.
 */
export function steer(page, verb, { path, name, version, text, danger }) {
  const label = verb[0].toUpperCase() + verb.slice(1);
  const act = async ({ reason }) => {
    await post(`${path}/${verb}`, { expected: version, reason });
    return `${label}: ${name}. It is on record.`;
  };
  return command(page, { label, title: `${label} ${name}`, text, act, done: page.refresh, danger });
}
