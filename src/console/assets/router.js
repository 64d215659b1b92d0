// Which page is shown: the address decides, and every link within the console stays in it.

let show = () => {};

/** Calls `shown` whenever the address changes, and once now. */
export function route(shown) {
  show = shown;
  // The browser would scroll before there is anything to scroll to, so the place is kept and restored here.
  history.scrollRestoration = "manual";
  addEventListener("scrollend", () => history.replaceState({ ...history.state, scroll: scrollY }, ""));
  addEventListener("popstate", ({ state }) => show({ isBack: true, scroll: state?.scroll }));
  document.addEventListener("click", followed);
  show({ scroll: history.state?.scroll });
}

/** Goes to an address of the console; `focus` is the id of what somebody asked for there. */
export function navigate(address, { replace = false, focus } = {}) {
  const samePath = new URL(address, location.href).pathname === location.pathname;
  history[replace ? "replaceState" : "pushState"](null, "", address);
  show({ samePath, focus });
}

/** Plain clicks on our own links change the page; new tabs, downloads and other places are the browser's. */
function followed(event) {
  const anchor = event.target.closest?.("a[href]");
  const isPlain = event.button === 0 && !(event.metaKey || event.ctrlKey || event.shiftKey || event.altKey);
  if (!anchor || !isPlain || event.defaultPrevented || anchor.target || anchor.hasAttribute("download")) return;
  if (anchor.origin !== location.origin || !anchor.pathname.startsWith("/console/") || anchor.hash) return;
  event.preventDefault();
  navigate(anchor.href);
}

/**
 * The way to a place of a page that comes in parts: to be called after each of them. It ends when the place is
 * reached, or somebody scrolls or types.
 */
export function place(signal, { focus, scroll }) {
  let isReached = !focus && !scroll;
  const stop = () => {
    isReached = true;
  };
  for (const own of ["wheel", "touchmove", "keydown"]) addEventListener(own, stop, { signal, passive: true });
  return () => {
    if (isReached) return;
    isReached = focus ? focused(focus) : scrolled(scroll);
  };
}

function focused(id) {
  document.getElementById(id)?.focus();
  return document.activeElement?.id === id;
}

function scrolled(to) {
  scrollTo(0, to);
  return scrollY >= to - 1;
}
