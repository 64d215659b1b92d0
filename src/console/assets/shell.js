// What stands around every page: the way to the others, the point of time, who is asking.

import { h } from "./dom.js";
import { isPaused, setPaused } from "./refresh.js";
import { isNow, link, state } from "./state.js";
import { clock } from "./time.js";
import { timebar } from "./timebar.js";
import { bold } from "./words.js";

const PAGES = [
  ["Overview", []],
  ["Webhooks", ["webhooks"]],
  ["Deliveries", ["deliveries"]],
  ["Dead letters", ["dead-letters"]],
  ["Subscriptions", ["subscriptions"]],
  ["Sources", ["sources"]],
  ["Replays", ["replays"]],
  ["Changes", ["changes"]],
  ["System", ["system"]],
];

/** Draws the frame anew and answers the `main` that the page goes into, with its heading. */
export function frame(page, { hasPast = true }, title) {
  const head = h("div", { class: "head" }, h("h1", { tabindex: "-1" }, title), tools(page));
  const main = h("main", { id: "main", tabindex: "-1" }, head);
  // An address with a fragment would be another entry in the history, and so another page.
  const jump = (event) => {
    event.preventDefault();
    main.focus();
  };
  const skip = h("a", { class: "skip", href: "#main", onclick: jump }, "Skip to the content");
  const content = h("div", { class: "content" }, timebar(page, hasPast), main);
  const whole = h("div", { id: "page" }, skip, header(), navigation(), content);
  document.getElementById("page")?.remove();
  document.body.prepend(whole);
  whole.querySelector(".pages [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
  return main;
}

function header() {
  const image = h("img", { src: "/console/assets/icon.svg", alt: "", width: "20", height: "20" });
  const leave = () => dispatchEvent(new Event("hooklog:sign-out"));
  return h(
    "header",
    { class: "top" },
    h("a", { class: "brand", href: link([]) }, image, "hooklog"),
    h("span", { title: "The name and the role of your token" }, bold(state.who.name), ` · ${state.who.role}`),
    h("button", { type: "button", class: "plain", onclick: leave }, "Sign out"),
  );
}

function navigation() {
  const [, , current] = location.pathname.split("/");
  const isCurrent = ([first = ""]) => first === current && "page";
  const item = ([name, parts]) => h("a", { href: link(parts), "aria-current": isCurrent(parts) }, name);
  return h("nav", { class: "pages", "aria-label": "Pages of the console" }, PAGES.map(item));
}

function tools(page) {
  const again = h("button", { type: "button", id: "refresh", onclick: () => page.refresh() }, "Refresh");
  if (!isNow()) return h("div", { class: "tools" }, again);
  const auto = h("button", { type: "button", id: "auto", onclick: () => flip(!isPaused()) });
  const flip = (paused) => {
    setPaused(paused);
    auto.textContent = paused ? "Auto-refresh: off" : "Auto-refresh: 5 s";
    auto.setAttribute("aria-pressed", String(!paused));
  };
  flip(isPaused());
  return h("div", { class: "tools" }, age(page), again, auto);
}

/** Since when the page is as it is: everything that it shows was asked for then or later. */
function age(page) {
  const said = h("span", { id: "age", class: "quiet", title: "Everything on this page is from then or later, UTC" });
  page.aged = (at) => {
    said.textContent = `as of ${clock(at)}`;
  };
  return said;
}
