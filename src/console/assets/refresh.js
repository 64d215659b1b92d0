// Refreshes: by hand, and every few seconds on pages that show now. Nobody who reads loses their place.

const PERIOD_MS = 5000;
const PAUSED = "hooklog.paused";

export const isPaused = () => sessionStorage.getItem(PAUSED) === "yes";
export const setPaused = (paused) => sessionStorage.setItem(PAUSED, paused ? "yes" : "no");

/** Asks every part of a page again; of a page that is not shown any more nothing is asked. */
export async function refreshed(page, byHand = false) {
  if (page.signal.aborted) return;
  await Promise.all([...page.sections].map((section) => section(byHand)));
}

/** Refreshes a page until another one is shown; not while that is paused, or nobody sees it. */
export function every(page) {
  const timer = setInterval(() => {
    if (!isPaused() && !document.hidden) refreshed(page);
  }, PERIOD_MS);
  page.signal.addEventListener("abort", () => clearInterval(timer));
}
