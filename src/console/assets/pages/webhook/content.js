// Headers and body of a webhook, when somebody asks for them.

import { bytes, get } from "../../api.js";
import { announce, h } from "../../dom.js";
import { indented } from "../../json.js";
import { facts, id } from "../../parts.js";
import { problem } from "../../section.js";
import { asOf, hasRole } from "../../state.js";
import { code, count, empty, quiet } from "../../words.js";

/** Longer bodies are cut in the page; the command line gives them whole. */
const CHARS_MAX = 200_000;

export function content(row, page) {
  const path = `/webhooks/${encodeURIComponent(row.receipt)}`;
  const shown = h("div", { class: "shown" });
  // While one answer is under way no other is asked for: each look is recorded, and the later answer is the one shown.
  const show = (load) => async ({ target }) => {
    const idle = buttons.filter((button) => !button.disabled);
    for (const button of idle) button.disabled = true;
    try {
      shown.replaceChildren(...(await load()));
    } catch (error) {
      if (!page.signal.aborted) shown.replaceChildren(problem(error));
    }
    for (const button of idle) button.disabled = false;
    if (document.activeElement === document.body) target.focus();
  };
  const headers = async () => told(await get(path, asOf(), page.signal));
  let seen = null;
  // What was given once is not asked for again, since it would be another look on record.
  const body = async () => {
    seen ??= await looked(path, page);
    return written(seen);
  };
  const button = (words, load, disabled) => h("button", { type: "button", disabled, onclick: show(load) }, words);
  const buttons = [
    button("Show headers", headers),
    button("Show the body – looking is recorded", body, row.erased || !hasRole("operate")),
  ];
  return h(
    "section",
    { class: "card", "data-key": row.receipt },
    h(
      "div",
      { class: "buttons" },
      buttons,
      quiet("Receipt ", id(row.receipt)),
    ),
    h("p", { class: "quiet" }, warning(row)),
    shown,
  );
}

async function looked(path, page) {
  const found = await bytes(`${path}/body`);
  announce("The body is shown. That you looked is on record.");
  page.refresh();
  return found;
}

function warning(row) {
  if (row.erased) return "The body was erased; what is known of it stays.";
  if (!hasRole("operate")) return "To look at bodies a token needs the role operate.";
  return "Your name and address go into the log, for ever, before the body is given.";
}

function told(found) {
  const given = Object.entries(found.headers).map(([name, text]) => [name, code(text)]);
  if (given.length === 0) return [empty("The headers were erased.")];
  const client = ["Client", found.client && code(found.client)];
  const secret = ["Secret", found.secret && id(found.secret, { length: 36 })];
  return [facts([client, secret, ...given], "headers")];
}

function written(found) {
  const plain = new TextDecoder().decode(found);
  const text = indented(plain, CHARS_MAX) ?? plain;
  const look = { class: "payload", tabindex: "0", role: "region", "aria-label": "Body" };
  const body = h("pre", look, text.slice(0, CHARS_MAX));
  if (text.length <= CHARS_MAX) return [body];
  const all = `hooklog webhook body gives all ${count(found.length)} bytes`;
  return [body, quiet(`These are the first ${count(CHARS_MAX)} characters; ${all}.`)];
}
