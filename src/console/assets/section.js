// A part of a page that loads by itself, says when it cannot, and is refreshed in place.

import { announce, h, morph } from "./dom.js";
import { nowMicros } from "./state.js";

/**
 * Shows what `view` makes of what `load` brings. `page` refreshes it; `every` says how many refreshes of the page one
 * of this part stands for. When a refresh fails, what was there stays, under the reason.
 */
export function section(page, load, view, { every = 1 } = {}) {
  const trouble = h("div", { class: "trouble" });
  const body = h("div", { class: "body" }, h("p", { class: "loading" }, "Loading…"));
  const box = h("div", { class: "section", "aria-busy": "true" }, trouble, body);
  let turn = 0;
  let underWay = null;

  // Whoever asks by hand or gave a command wants to see what is there from now on, so an older question is dropped.
  const run = async () => {
    underWay?.abort();
    const mine = new AbortController();
    underWay = mine;
    const at = nowMicros();
    const isWanted = () => underWay === mine && !page.signal.aborted;
    try {
      const data = await load(AbortSignal.any([page.signal, mine.signal]));
      if (isWanted()) succeed(data, at);
    } catch (error) {
      if (isWanted()) fail(error);
    } finally {
      if (underWay === mine) ended();
    }
  };
  const ended = () => {
    underWay = null;
    box.setAttribute("aria-busy", "false");
  };
  const succeed = (data, at) => {
    if (trouble.hasChildNodes()) announce("It works again.");
    trouble.replaceChildren();
    morph(body, h("div", null, view(data)));
    page.arrived(box, at);
  };
  const fail = (error) => {
    const isNew = !trouble.hasChildNodes();
    body.querySelector(":scope > .loading")?.remove();
    morph(trouble, h("div", null, problem(error, run, body.hasChildNodes())));
    if (isNew) announce(`${error.title ?? "It failed"}: ${error.message}`);
  };

  page.sections.add((byHand) => {
    if (byHand) return run();
    turn += 1;
    const isDue = turn % every === 0 || trouble.hasChildNodes();
    return isDue && !underWay ? run() : undefined;
  });
  run();
  return box;
}

/** An error, what to do about it, and the way to try again. */
export function problem(error, again, isStale = false) {
  // What is no problem of the API is a mistake of this page; whoever looks for it finds it in the browser's console.
  if (error.status === undefined) console.error(error);
  return h(
    "div",
    { class: "problem", role: "group", "aria-label": "Error" },
    h("strong", null, error.title ?? "This page failed"),
    h("p", null, error.message),
    isStale && h("p", { class: "quiet" }, "What is below is from before."),
    again && h("button", { type: "button", onclick: again }, "Try again"),
  );
}
