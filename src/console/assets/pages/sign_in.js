// Who is asking: an API token, kept for this tab only.

import { session, tried } from "../api.js";
import { h } from "../dom.js";
import { problem } from "../section.js";
import { state } from "../state.js";
import { code } from "../words.js";

/** Shows the form; `why` is what the server has against the token before. */
export function signIn(why, signedIn) {
  const trouble = h("div", { class: "trouble", role: "alert" }, why && problem(why));
  const look = { id: "token", type: "password", required: true, "aria-describedby": "whence" };
  const input = h("input", { ...look, autocomplete: "off", spellcheck: "false" });
  const button = h("button", { type: "submit", class: "primary" }, "Sign in");
  const field = h("div", { class: "field" }, h("label", { for: "token" }, "API token"), input);
  const form = h("form", { onsubmit: submitted }, field, trouble, button);

  async function submitted(event) {
    event.preventDefault();
    button.disabled = true;
    try {
      const token = input.value.trim();
      state.who = (await tried(token)).token;
      session.begin(token);
      signedIn();
    } catch (error) {
      trouble.replaceChildren(problem(error));
      button.disabled = false;
      input.select();
    }
  }
  document.getElementById("page")?.remove();
  const card = h("main", { class: "card" }, title(), form, whence());
  document.body.prepend(h("div", { id: "page", class: "alone" }, card));
  input.focus();
}

function title() {
  const image = h("img", { src: "/console/assets/icon.svg", alt: "", width: "28", height: "28" });
  return h("h1", null, image, "Sign in to hooklog");
}

const whence = () =>
  h(
    "div",
    { id: "whence", class: "quiet" },
    h("p", null, "A token comes from whoever runs this server:"),
    h("pre", null, "hooklog token create NAME --role read"),
    h("p", null, "With ", code("--role operate"), " one may also give commands and look at bodies."),
    h("p", null, "The token of the first start is in ", code("admin-token"), " in the data folder."),
    h("p", null, "It is kept in this tab until you sign out or close it, and sent to this server only."),
  );
