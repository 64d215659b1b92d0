// Small charts of counts over time, drawn as SVG: bars, a scale, and the figures as text.

import { h, s } from "./dom.js";
import { utc } from "./time.js";
import { count, quiet } from "./words.js";

const WIDTH = 300;
const HEIGHT = 56;

/** One series as bars: `bins` are `{at, count}`, the earliest first; `look` names its colour. */
export function bars({ name, bins, look, hint }) {
  const most = Math.max(1, ...bins.map((bin) => bin.count));
  const total = bins.reduce((sum, bin) => sum + bin.count, 0);
  const width = WIDTH / bins.length;
  const bar = ({ at, count }, index) => {
    const height = count ? Math.max(1.5, (count / most) * HEIGHT) : 0;
    const place = { x: index * width, y: HEIGHT - height, width: Math.max(width - 1, 0.5), height };
    return s("rect", place, s("title", null, `${utc(at).slice(0, 16)} · ${count}`));
  };
  const peak = total ? most : 0;
  const label = `${name}: ${total} in all, ${peak} at most in ${hint}`;
  const view = { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": label };
  const floor = s("line", { x1: 0, x2: WIDTH, y1: HEIGHT - 0.5, y2: HEIGHT - 0.5 });
  const words = [h("span", { class: "name" }, name), h("span", { class: "total" }, count(total))];
  return h(
    "figure",
    { class: `chart ${look}` },
    h("figcaption", null, words, quiet(`peak ${peak} / ${hint}`)),
    s("svg", view, floor, bins.map(bar)),
  );
}

/** Sums what `rows` count under `field` into `count` bins of `size` that end with the one that holds `end`. */
export function binned(rows, field, { end, size, count }) {
  const last = Math.floor(end / size) * size;
  const first = last - (count - 1) * size;
  const bins = Array.from({ length: count }, (_, index) => ({ at: first + index * size, count: 0 }));
  for (const row of rows) {
    const bin = bins[Math.floor((row.minute_at - first) / size)];
    if (bin) bin.count += row[field];
  }
  return bins;
}
