// The clauses of a list: a form that becomes the address, so that a filtered list can be shared.

import { h } from "./dom.js";
import { navigate } from "./router.js";
import { here, link, nowMicros, state } from "./state.js";
import { point } from "./time.js";

/**
 * Fields are `{name, label, choices?, none?, time?, point?, hint?, wide?, more?}`; `none` is the word for no choice.
 * `tab` is what stays when the filter is cleared.
 */
export function filters(path, fields, { tab, label = "Filter" } = {}) {
  const clear = fields.some(isGiven) && h("a", { class: "button", href: link(path, { tab }) }, "Clear");
  return h(
    "form",
    { class: "filters", role: "search", "aria-label": "Filter", onsubmit: submitted },
    fields.filter(({ more }) => !more).map(labelled),
    folded(fields.filter(({ more }) => more)),
    h("div", { class: "buttons" }, h("button", { type: "submit" }, label), clear),
  );
}

const isGiven = ({ name }) => Boolean(state.query[name]);

/** What is asked for rarely is folded away, unless it is asked for. */
function folded(fields) {
  if (fields.length === 0) return null;
  const inner = h("div", { class: "filters" }, fields.map((field) => labelled(field)));
  return h("details", { class: "more", open: fields.some(isGiven) }, h("summary", null, "More clauses"), inner);
}

function labelled(field, index) {
  const control = field.choices ? choice(field) : input(field);
  control.id = `filter-${field.name}`;
  if (index === 0) control.setAttribute("data-first", "");
  const label = h("label", { for: control.id }, field.label);
  return h("div", { class: field.wide ? "field wide" : "field" }, label, control);
}

function choice({ name, choices, none = "any" }) {
  const selected = state.query[name] ?? "";
  const options = ["", ...choices].map((one) => h("option", { value: one, selected: one === selected }, one || none));
  return h("select", { name }, options);
}

const input = ({ name, hint, time, point: isPoint }) =>
  h("input", {
    name,
    placeholder: hint ?? (time && "2h, 2026-11-01"),
    value: state.query[name],
    "data-time": isPoint ? "point" : time && "instant",
    autocomplete: "off",
    spellcheck: "false",
    oninput: ({ currentTarget }) => currentTarget.setCustomValidity(""),
  });

function submitted(event) {
  event.preventDefault();
  const form = event.currentTarget;
  for (const control of form.querySelectorAll("[data-time]")) settle(control);
  if (form.reportValidity()) navigate(here(Object.fromEntries(new FormData(form))));
}

/** A time that is relative to now becomes an instant, as in points. */
function settle(control) {
  const text = control.value.trim();
  if (!text) return;
  try {
    const found = point(text, nowMicros());
    const fits = control.dataset.time === "point" || found.kind === "time";
    if (!fits) throw new RangeError("Write 2h or 1d12h (so long ago), 2026-11-01, or 2026-11-01T12:00Z.");
    control.value = found.text;
  } catch (error) {
    control.setCustomValidity(error.message);
  }
}

export const SUBSCRIPTION = { name: "subscription", label: "Subscription", hint: "name or id" };
export const REPOSITORY = { name: "repository", label: "Repository", hint: "acme/api or acme/*" };
export const EVENT = { name: "event", label: "Event", hint: "push" };
export const SOURCE = { name: "source", label: "Source", more: true };
export const GUID = { name: "guid", label: "GUID", wide: true, more: true };
export const FROM = { name: "from", label: "Received from", time: true };
export const REPLAY = { name: "replay", label: "Replay", hint: "id", more: true };
export const TO = { name: "to", label: "Received before", time: true };
