// Elements from data. Whatever stands in webhooks is hostile, so it becomes text nodes and values of attributes, and
// never markup.

const SVG = "http://www.w3.org/2000/svg";

/** An element: `h('a', {href: '…', onclick: f}, 'text', [more])`. What is null or false is left out. */
export function h(name, props, ...children) {
  return filled(document.createElement(name), props, children);
}

/** The same within SVG. */
export function s(name, props, ...children) {
  return filled(document.createElementNS(SVG, name), props, children);
}

const isThere = (value) => value !== null && value !== undefined && value !== false;

/** What is there of nested lists of children. */
export const shown = (children) => children.flat(Infinity).filter(isThere);

function filled(node, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (name.startsWith("on")) listen(node, name.slice(2), value);
    else if (isThere(value)) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...shown(children));
  return node;
}

/** Listeners are looked up when the event comes, so that `morph` can hand newer ones over. */
function listen(node, type, listener) {
  node.listeners ??= {};
  node.listeners[type] = listener;
  node.addEventListener(type, (event) => node.listeners[type]?.(event));
}

/**
 * Makes the children of `old` what those of `next` are, and keeps the nodes that stay: focus, scroll, selection, and
 * what somebody opened outlive a refresh. Rows are the same when their `data-key` is.
 */
export function morph(old, next) {
  const kept = new Set([...next.children].map(key).filter(Boolean));
  for (const child of [...old.children]) {
    if (key(child) && !kept.has(key(child))) child.remove();
  }
  let at = old.firstChild;
  for (const want of [...next.childNodes]) {
    if (at && isSame(at, want)) {
      const then = at.nextSibling;
      update(at, want);
      at = then;
    } else if (at && !key(want) && !key(at)) {
      const then = at.nextSibling;
      at.replaceWith(want);
      at = then;
    } else {
      old.insertBefore(keyed(old, want) ?? want, at);
    }
  }
  while (at) {
    const then = at.nextSibling;
    at.remove();
    at = then;
  }
}

const key = (node) => node.dataset?.key;
const isSame = (a, b) => a.nodeName === b.nodeName && key(a) === key(b);

/** A row that stands elsewhere by now, brought up to date. */
function keyed(parent, want) {
  if (!key(want)) return null;
  const found = [...parent.children].find((child) => key(child) === key(want) && isSame(child, want));
  if (found) update(found, want);
  return found;
}

function update(old, next) {
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== next.data) old.data = next.data;
    return;
  }
  // An open element was opened by somebody, who would not want it to close.
  const mine = (name) => name === "open" && old.nodeName === "DETAILS";
  const names = (node) => node.getAttributeNames().filter((name) => !mine(name));
  for (const name of names(old)) if (!next.hasAttribute(name)) old.removeAttribute(name);
  for (const name of names(next)) {
    if (old.getAttribute(name) !== next.getAttribute(name)) old.setAttribute(name, next.getAttribute(name));
  }
  if (next.listeners) old.listeners = { ...old.listeners, ...next.listeners };
  morph(old, next);
}

/** Says something to whoever hears the page; the same text twice is said twice. */
export function announce(text) {
  const region = document.getElementById("live");
  region.replaceChildren(h("p", null, text));
}
