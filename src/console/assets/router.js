// Which page is shown: the address decides, and every link within the console stays in it.

let show = () => {};

/** Calls `shown` whenever the address changes, and once now. */
export function route(shown) {
  show = shown;
  addEventListener("popstate", () => show({ isBack: true }));
  document.addEventListener("click", followed);
  show({});
}

/** Goes to an address of the console. */
export function navigate(address, { replace = false } = {}) {
  const samePath = new URL(address, location.href).pathname === location.pathname;
  history[replace ? "replaceState" : "pushState"](null, "", address);
  show({ samePath });
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
