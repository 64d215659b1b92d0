// Points of history and times, as text and as numbers. Everything here is pure: `now` is handed in.
// Times are microseconds since 1970, as in the API.

const SECOND = 1_000_000;
const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const UNITS = new Map([
  ["w", 7 * DAY],
  ["d", DAY],
  ["h", HOUR],
  ["m", MINUTE],
  ["s", SECOND],
  ["ms", 1000],
]);
const RECORD = /^(webhooks|deliveries|control)\/\d+@\d+$/;
const DATE = /^\d{4}-\d{2}-\d{2}$/;
const INSTANT = /^(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}(?::\d{2})?)(?:[.,](\d{1,9}))?\s*(?:(Z)|([+-]\d{2}):?(\d{2}))$/i;

export const GRAMMAR =
  "write 2h or 1d12h (so long ago), 2026-11-01, 2026-11-01T12:00Z, webhooks/3@1042 (a record), or @NAME (a bookmark)";

/** The length of `1d12h`: numbers with units, the larger first; null if it is none. */
export function span(text) {
  const parts = text.match(/\d+[a-z]+/g);
  if (!parts || parts.join("") !== text) return null;
  let last = Infinity;
  let total = 0;
  for (const part of parts) {
    const [, number, name] = part.match(/^(\d+)([a-z]+)$/);
    const unit = UNITS.get(name);
    if (!unit || unit >= last) return null;
    total += Number(number) * unit;
    last = unit;
  }
  return total;
}

/**
 * A point as somebody wrote it: `{kind: 'now' | 'time' | 'record' | 'bookmark', text}`, of a time also `at`.
 * What is relative becomes an instant, so that a link means the same to whoever opens it, whenever.
 */
export function point(text, now) {
  const plain = (text ?? "").trim();
  if (plain === "" || plain === "now") return { kind: "now", text: "" };
  if (/^@\S+$/.test(plain)) return { kind: "bookmark", text: plain };
  if (RECORD.test(plain)) return { kind: "record", text: plain };
  const at = instant(plain, now);
  if (at === null) throw new RangeError(`“${plain}” is not a point: ${GRAMMAR}`);
  return { kind: "time", text: iso(at), at };
}

/** The instant that a text means: `2h` (ago), a date, or a time with its zone; null if it is none. */
export function instant(text, now) {
  const ago = span(text.replace(/\s*ago$/, ""));
  if (ago !== null) return now - ago;
  const parts = (DATE.test(text) ? `${text}T00:00Z` : text).match(INSTANT);
  if (!parts || !isDay(parts[1])) return null;
  const [, day, clock, fraction = "", zulu, hours, minutes] = parts;
  const millis = Date.parse(`${day}T${clock}${zulu ? "Z" : `${hours}:${minutes}`}`);
  return Number.isNaN(millis) ? null : millis * 1000 + Number(fraction.slice(0, 6).padEnd(6, "0"));
}

/** The browser would roll the 31st of a short month over to the next one. */
function isDay(day) {
  const midnight = new Date(`${day}T00:00Z`);
  return !Number.isNaN(midnight.getTime()) && midnight.toISOString().startsWith(day);
}

/** The point `by` microseconds later than instant `at`; what is not before now is now. */
export function shifted(at, by, now) {
  return at + by >= now ? "" : iso(at + by);
}

/** An instant as the API takes it: RFC 3339 in UTC, to the microsecond where it has any. */
export function iso(at) {
  const seconds = Math.floor(at / SECOND);
  const rest = String(at - seconds * SECOND).padStart(6, "0").replace(/0+$/, "");
  const text = new Date(seconds * 1000).toISOString().slice(0, 19);
  return `${text}${rest && `.${rest}`}Z`;
}

/** `2026-11-01 12:00:00.123 UTC`. */
export function utc(at) {
  return new Date(Math.floor(at / 1000)).toISOString().replace("T", " ").replace("Z", " UTC");
}

/** `12:00:00`, of the day that it is. */
export const clock = (at) => utc(at).slice(11, 19);

/**
 * How far a clock is ahead by an answer that said the `second` in which it was made, between `sent` and `received`
 * (all milliseconds). What was known before stays as far as it fits, since a second is coarse.
 */
export function corrected(ahead, { second, sent, received }) {
  const least = second - received;
  const most = second + 999 - sent;
  return Math.min(Math.max(ahead, least), most);
}

/** As people say it: `3 min ago`, `in 2 h`. */
export function relative(at, now) {
  const away = Math.abs(now - at);
  const words = away < SECOND ? "now" : coarse(away);
  if (words === "now") return words;
  return at > now ? `in ${words}` : `${words} ago`;
}

function coarse(away) {
  if (away < MINUTE) return `${Math.floor(away / SECOND)} s`;
  if (away < HOUR) return `${Math.floor(away / MINUTE)} min`;
  if (away < 2 * DAY) return `${Math.floor(away / HOUR)} h`;
  return `${Math.floor(away / DAY)} d`;
}

/** How long something took. */
export function took(length) {
  if (length < 1000) return `${length} µs`;
  if (length < SECOND) return `${(length / 1000).toFixed(length < 10_000 ? 1 : 0)} ms`;
  if (length < MINUTE) return `${(length / SECOND).toFixed(2)} s`;
  return coarse(length);
}
