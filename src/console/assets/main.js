// The console: who is asking, which page, and its refreshes. It knows hooklog by its public API alone.

import { Problem, session, tried } from "./api.js";
import { announce, h } from "./dom.js";
import { changes } from "./pages/changes.js";
import { deadLetters } from "./pages/dead_letters.js";
import { deliveries } from "./pages/deliveries.js";
import { delivery } from "./pages/delivery.js";
import { overview } from "./pages/overview.js";
import { replay } from "./pages/replay.js";
import { replays } from "./pages/replays.js";
import { signIn } from "./pages/sign_in.js";
import { source } from "./pages/source.js";
import { sources } from "./pages/sources.js";
import { subscription } from "./pages/subscription.js";
import { subscriptions } from "./pages/subscriptions.js";
import { system } from "./pages/system.js";
import { webhook } from "./pages/webhook.js";
import { webhooks } from "./pages/webhooks.js";
import { every, refreshed } from "./refresh.js";
import { place, route } from "./router.js";
import { problem } from "./section.js";
import { frame } from "./shell.js";
import { here, isFuture, isNow, isPast, read, state } from "./state.js";
import { match } from "./url.js";
import { empty, go } from "./words.js";

const ROUTES = [
  ["", overview],
  ["webhooks", webhooks],
  ["webhooks/:guid", webhook],
  ["deliveries", deliveries],
  ["deliveries/:id", delivery],
  ["dead-letters", deadLetters],
  ["subscriptions", subscriptions],
  ["subscriptions/:name", subscription],
  ["sources", sources],
  ["sources/:name", source],
  ["replays", replays],
  ["replays/:id", replay],
  ["changes", changes],
  ["system", system],
];

const NOWHERE = {
  title: () => "No such page",
  show: () => empty("There is no such page. ", go("Go to the overview.", [])),
};

let current = null;

/** Ends the page that is shown; the answer says later whether another one was begun meanwhile. */
function begun() {
  current?.abort();
  current = new AbortController();
  const mine = current;
  return () => current === mine;
}

async function shown(how) {
  const isCurrent = begun();
  if (!session.token() || !(await known(isCurrent))) return;
  let wrong = null;
  try {
    read(location);
  } catch (error) {
    wrong = new Problem({ title: "The point of time is not one", detail: error.message });
  }
  if (!wrong) settle();
  draw(how, wrong);
}

/** A point that is relative to now becomes an instant in the address too, so that it can be shared. */
function settle() {
  const written = here({ cursor: state.query.cursor });
  if (location.pathname + location.search !== written) history.replaceState(history.state, "", written);
}

function draw({ samePath, isBack, ...how }, wrong) {
  const found = match(ROUTES, location.pathname) ?? { page: NOWHERE, names: {} };
  const focused = samePath && document.activeElement?.id;
  const page = begin(current.signal, how);
  const title = found.page.title(found.names);
  document.title = `${isPast() ? `${state.point.text} · ` : ""}${title} · hooklog`;
  document.body.dataset.time = colours();
  const main = frame(page, found.page, title);
  main.append(...[wrong ? problem(wrong) : found.page.show(page, found.names)].flat(Infinity).filter(Boolean));
  if (isNow()) every(page);
  if (focused) document.getElementById(focused)?.focus();
  else if (!isBack) main.querySelector("h1").focus({ preventScroll: true });
  if (!samePath && !isBack) scrollTo(0, 0);
}

/** What the parts of a page share: until when they are shown, how they are asked again, and what came when. */
function begin(signal, { focus, scroll }) {
  const times = new Map();
  const page = { signal, sections: new Set(), refresh: () => refreshed(page, true), aged: () => {} };
  // Where somebody was, or wants to be, is there only when the parts above it have come.
  const goThere = place(signal, { focus, scroll });
  page.arrived = (part, at) => {
    times.set(part, at);
    page.aged(Math.min(...times.values()));
    goThere();
  };
  return page;
}

/** Only what is past looks so: the present, the future and what is no point have the usual colours. */
const colours = () => (isPast() && !isFuture() ? "past" : "now");

/** Asks who the token names, once; without an answer there is a page that says why. */
async function known(isCurrent) {
  if (state.who) return true;
  try {
    const { token } = await tried(session.token());
    if (isCurrent()) state.who = token;
  } catch (error) {
    if (isCurrent()) unknown(error);
    return false;
  }
  return isCurrent();
}

function unknown(error) {
  if (error.status === 401) ask(error);
  else alone(problem(error, () => shown({})));
}

function alone(what) {
  document.getElementById("page")?.remove();
  document.body.prepend(h("main", { id: "page", class: "alone" }, what));
}

/** Shows the form for the token; the address stays, so that one comes back to where one was. */
function ask(why) {
  session.end();
  state.who = null;
  begun();
  document.title = "Sign in · hooklog";
  document.body.dataset.time = "now";
  signIn(why, () => {
    announce("Signed in.");
    shown({});
  });
}

session.refused = (why) => ask(why);
addEventListener("hooklog:sign-out", () => ask());
addEventListener("keydown", (event) => {
  const isTyping = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.nodeName) || document.querySelector("dialog[open]");
  const first = document.querySelector("[data-first]") ?? document.getElementById("point");
  if (event.key !== "/" || isTyping || event.ctrlKey || event.metaKey || event.altKey || !first) return;
  event.preventDefault();
  first.focus();
});

if (!session.token()) ask();
route(shown);
