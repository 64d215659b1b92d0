// Words in their usual dress: the few elements that every page is made of.

import { h } from "./dom.js";
import { link } from "./state.js";

const dressed = (name, look) => (...words) => h(name, look && { class: look }, words);

export const quiet = dressed("span", "quiet");
export const bold = dressed("b");
export const code = dressed("code");
export const quote = dressed("q");
export const heading = dressed("h2");
/** What a page is about, at a glance. */
export const lead = dressed("div", "lead");
/** What stands where a list would, with what to do. */
export const empty = dressed("p", "empty");
/** Something that is to be known before what follows. */
export const note = dressed("p", "note");

/** A link to another page of the console, at the same point of history. */
export const go = (words, parts, query) => h("a", { href: link(parts, query) }, words);

/** A number with its thousands apart. */
export const count = (number) => number.toLocaleString("en");

/** The API's words without their underscores. */
export const plain = (word) => word?.replaceAll("_", " ");
