// The point of history that a page shows: now, or any other; and the ways from one to the next.

import { all, post } from "./api.js";
import { command } from "./command.js";
import { h } from "./dom.js";
import { exact } from "./parts.js";
import { navigate } from "./router.js";
import { problem } from "./section.js";
import { hasRole, here, isFuture, isNow, isPast, isWrong, nowMicros, pointTime, state } from "./state.js";
import { GRAMMAR, HOUR, point, shifted, utc } from "./time.js";
import { quiet, quote } from "./words.js";

const STEPS = [
  ["−1 h", -HOUR],
  ["−1 min", -HOUR / 60],
  ["+1 min", HOUR / 60],
  ["+1 h", HOUR],
];

export function timebar(page, hasPast) {
  const back = !isNow() && h("a", { class: "button primary", href: here({}, "") }, "Back to now");
  return h(
    "section",
    { class: "timebar", "aria-label": "Point of time" },
    h("p", { class: "which" }, which(hasPast)),
    h("div", { class: "controls" }, form(), steps(), back, bookmarks(page)),
  );
}

function which(hasPast) {
  if (isNow()) return ["Looking at ", h("strong", null, "now")];
  if (isWrong()) return "This is no point of time, so nothing is shown";
  const { kind, at, text } = state.point;
  const said = h("b", { class: "point" }, kind === "time" ? utc(at) : text);
  const but = !hasPast && " – but this page has no past";
  if (isFuture()) return ["As of ", said, ": ", h("strong", null, "not yet"), ", this is all there is", but];
  return ["You are looking at ", h("strong", null, "the past"), ": as of ", said, but];
}

function form() {
  const input = h("input", {
    id: "point",
    value: isWrong() ? state.point.written : state.point.text,
    placeholder: "now, 2h, 2026-11-01, @bookmark",
    title: GRAMMAR,
    autocomplete: "off",
    spellcheck: "false",
    oninput: () => input.setCustomValidity(""),
  });
  const submitted = (event) => {
    event.preventDefault();
    try {
      navigate(here({}, point(input.value, nowMicros()).text));
    } catch (error) {
      input.setCustomValidity(error.message);
      input.reportValidity();
    }
  };
  const label = h("label", { for: "point" }, "As of");
  return h("form", { onsubmit: submitted }, label, input, h("button", { type: "submit" }, "Go"));
}

/** From a record or a bookmark one can step only where its time is known here: the API does not tell it. */
function steps() {
  const at = pointTime();
  const title = at === null && "Steps need a time, which is not known here of this point";
  const step = ([label, by]) => {
    const disabled = at === null || (by > 0 && !isPast());
    const onclick = () => navigate(here({}, shifted(at, by, nowMicros())));
    return h("button", { type: "button", id: `step${by}`, disabled, title, onclick }, label);
  };
  return h("div", { class: "steps", role: "group", "aria-label": "Step in time" }, STEPS.map(step));
}

function bookmarks(page) {
  const menu = h("div", { class: "menu" });
  const summary = h("summary", null, "Bookmarks");
  const whole = h("details", { class: "bookmarks", ontoggle: opened, onkeydown: closed }, summary, menu);
  return whole;

  function opened() {
    if (!whole.open) return;
    menu.replaceChildren(h("p", { class: "loading" }, "Loading…"));
    load();
  }

  async function load() {
    try {
      menu.replaceChildren(...listed(await all("/bookmarks", {}, page.signal)));
      if (hasRole("operate") && !isWrong()) menu.append(create(page, load));
    } catch (error) {
      if (!page.signal.aborted) menu.replaceChildren(problem(error));
    }
  }

  function closed({ key }) {
    if (key !== "Escape" || !whole.open) return;
    whole.open = false;
    summary.focus();
  }
}

function listed({ rows, isWhole }) {
  if (rows.length === 0) return [quiet("No bookmarks yet: they give points a name.")];
  const some = isWhole ? [] : [quiet(`These are ${rows.length} of them; hooklog bookmark list gives all.`)];
  return [h("ul", null, rows.map(one)), ...some];
}

function one({ name, actor, created_at: at, why }) {
  const anchor = h("a", { href: here({}, `@${name}`) }, `@${name}`);
  return h("li", null, anchor, quiet(" by ", actor, ", ", exact(at)), why && quote(why));
}

function create(page, done) {
  const act = async ({ name, reason }) => {
    const made = await post("/bookmarks", { name, reason, point: state.point.text || undefined });
    return `The point is @${made.name} from now on.`;
  };
  return command(page, {
    label: "Bookmark this point",
    title: "Bookmark this point",
    text: isPast() ? `It gives ${state.point.text} a name.` : "It gives the end of the log, as it is now, a name.",
    fields: [{ name: "name", label: "Name", hint: "before-migration" }],
    act,
    done,
  });
}
