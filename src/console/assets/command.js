// Commands: each says what it will do, and asks why, because the reason stands in the log for ever.

import { announce, h } from "./dom.js";
import { problem } from "./section.js";

const REASON = { name: "reason", label: "Why? It is kept in the log, with your name." };
const TOAST_MS = 6000;

/**
 * A button that asks and then acts. `fields` are further inputs: `{name, label, hint?}`. `act` gets what was written,
 * by name, with `reason`, and answers what to say when it is done. The question ends with the page that asks it.
 */
export function command(page, { label, danger, ...what }) {
  const open = () => dialog(page, { label, ...what });
  return h("button", { type: "button", class: danger && "danger", onclick: open }, label);
}

function dialog(page, { label, title, text, fields = [], act, done }) {
  const trouble = h("div", { class: "trouble", role: "alert" });
  const go = h("button", { type: "submit", class: "primary" }, label);
  const close = h("button", { type: "button", onclick: () => box.close() }, "Not now");
  const inputs = [...fields, REASON].map(input);
  const form = h("form", { onsubmit: submitted }, inputs, trouble, h("div", { class: "buttons" }, go, close));
  const heading = h("h2", { id: "dialog-title" }, title);
  const look = { "aria-labelledby": heading.id, onclose: () => box.remove() };
  const box = h("dialog", look, heading, h("p", null, text), form);

  async function submitted(event) {
    event.preventDefault();
    go.disabled = true;
    try {
      const said = await act(written(form));
      box.close();
      announce(said);
      toast(said);
      done?.();
    } catch (error) {
      trouble.replaceChildren(problem(error));
    }
    go.disabled = false;
  }
  page.signal.addEventListener("abort", () => box.close());
  document.body.append(box);
  box.showModal();
  form.querySelector("input").focus();
}

const written = (form) => Object.fromEntries([...new FormData(form)].map(([name, text]) => [name, text.trim()]));

/** Blanks alone say nothing, so they are refused as no words are. */
function input({ name, label, hint }) {
  const id = `ask-${name}`;
  const words = { required: true, pattern: ".*\\S.*", title: "It takes at least one word" };
  const look = { id, name, ...words, placeholder: hint, autocomplete: "off", maxlength: "500" };
  return h("div", { class: "field" }, h("label", { for: id }, label), h("input", look));
}

/** What was announced, for those who see. */
function toast(text) {
  const one = h("div", { class: "toast", "aria-hidden": "true" }, text);
  document.body.append(one);
  setTimeout(() => one.remove(), TOAST_MS);
}
