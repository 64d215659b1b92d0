// What needs no page: points of time, addresses, JSON.

import assert from "node:assert/strict";
import { test } from "node:test";
import { spans } from "../../src/console/assets/attempt.js";
import { binned } from "../../src/console/assets/chart.js";
import { indented } from "../../src/console/assets/json.js";
import { becameOf } from "../../src/console/assets/pages/missed.js";
import * as state from "../../src/console/assets/state.js";
import * as time from "../../src/console/assets/time.js";
import * as url from "../../src/console/assets/url.js";

const at = (text) => Date.parse(text) * 1000;
const now = at("2026-11-01T12:00:00Z");

test("a point is now, a time, a record or a bookmark", () => {
  assert.deepEqual(time.point("", now), { kind: "now", text: "" });
  assert.deepEqual(time.point(" now ", now), { kind: "now", text: "" });
  assert.deepEqual(time.point(undefined, now), { kind: "now", text: "" });
  assert.deepEqual(time.point("webhooks/3@1042", now), { kind: "record", text: "webhooks/3@1042" });
  assert.deepEqual(time.point("@before-migration", now), { kind: "bookmark", text: "@before-migration" });
  for (const [text, meant] of [
    ["2h", "2026-11-01T10:00:00Z"],
    ["1d12h", "2026-10-31T00:00:00Z"],
    ["90s ago", "2026-11-01T11:58:30Z"],
    ["250ms", "2026-11-01T11:59:59.75Z"],
    ["2026-10-01", "2026-10-01T00:00:00Z"],
    ["2026-10-01T12:00Z", "2026-10-01T12:00:00Z"],
    ["2026-10-01 12:00:30.5z", "2026-10-01T12:00:30.5Z"],
    ["2026-10-01T12:00:00.123456Z", "2026-10-01T12:00:00.123456Z"],
    ["2026-10-01T12:00:00+02:00", "2026-10-01T10:00:00Z"],
    ["2026-10-01T12:00:00-0130", "2026-10-01T13:30:00Z"],
  ]) {
    assert.equal(time.point(text, now).text, meant, text);
  }
});

test("what is no point is refused with how one is written", () => {
  for (const text of ["yesterday", "2x", "h2", "12h1d", "1h1h", "@", "webhooks/3", "other/1@2", "2026-02-30", "2026-11-01T25:00Z", "2026-11-01T12:00"]) {
    assert.throws(() => time.point(text, now), /1d12h.*@NAME/, text);
  }
});

test("a step ends at now", () => {
  assert.equal(time.shifted(now - time.HOUR, -time.HOUR, now), "2026-11-01T10:00:00Z");
  assert.equal(time.shifted(now - 2 * time.HOUR, time.HOUR, now), "2026-11-01T11:00:00Z");
  assert.equal(time.shifted(now - time.HOUR, time.HOUR, now), "");
});

test("times are written to the microsecond and read as people say them", () => {
  assert.equal(time.iso(now + 1), "2026-11-01T12:00:00.000001Z");
  assert.equal(time.iso(now), "2026-11-01T12:00:00Z");
  assert.equal(time.utc(now + 123_456), "2026-11-01 12:00:00.123 UTC");
  assert.equal(time.relative(now - 3 * 60e6, now), "3 min ago");
  assert.equal(time.relative(now + 2 * time.HOUR, now), "in 2 h");
  assert.equal(time.relative(now - 10, now), "now");
  assert.deepEqual([850, 1500, 42_000, 1_500_000].map(time.took), ["850 µs", "1.5 ms", "42 ms", "1.50 s"]);
});

test("the clock of the server is known as well as the answers told it", () => {
  const exchange = { second: 100_000, sent: 90_000, received: 90_200 };
  assert.equal(time.corrected(0, exchange), 9800);
  assert.equal(time.corrected(10_500, exchange), 10_500);
  assert.equal(time.corrected(60_000, exchange), 10_999);
  assert.equal(time.corrected(0, { second: 90_000, sent: 90_100, received: 90_200 }), 0);
  assert.equal(time.clock(now + 61e6), "12:01:01");
});

test("records are remembered with the times at which they were appended, and not for ever", () => {
  state.state.point = { kind: "record", text: "webhooks/0@0" };
  assert.equal(state.pointTime(), null);
  state.remember("webhooks/0@0", now);
  assert.equal(state.pointTime(), now);
  for (let offset = 1; offset <= 2000; offset += 1) state.remember(`webhooks/0@${offset}`, now);
  assert.equal(state.pointTime(), null);
});

test("what became of a webhook is said as the command line says it", () => {
  assert.equal(becameOf({ reason: "dead", detail: "attempts_exhausted" }), "given up: attempts exhausted");
  assert.equal(becameOf({ reason: "filter", detail: "events, repositories" }), "not matched: events, repositories");
  assert.equal(becameOf({ reason: "open", detail: null }), "still under way");
  assert.equal(becameOf({ reason: "delivered", detail: null }), "delivered");
});

test("an address keeps what is readable and leaves out what is empty", () => {
  const address = url.address("/console/webhooks", { as_of: "deliveries/3@17", event: "", repository: "a&b=c", source: undefined });
  assert.equal(address, "/console/webhooks?as_of=deliveries/3@17&repository=a%26b%3Dc");
  assert.deepEqual(url.query("?as_of=deliveries/3@17&repository=a%26b%3Dc"), { as_of: "deliveries/3@17", repository: "a&b=c" });
  assert.equal(url.path("webhooks", "a/../<b>"), "/console/webhooks/a%2F..%2F%3Cb%3E");
});

test("a path leads to its page, with its names", () => {
  const routes = [["", "overview"], ["webhooks", "list"], ["webhooks/:guid", "one"]];
  assert.deepEqual(url.match(routes, "/console/"), { page: "overview", names: {} });
  assert.deepEqual(url.match(routes, "/console/webhooks/"), { page: "list", names: {} });
  assert.deepEqual(url.match(routes, "/console/webhooks/a%2Fb"), { page: "one", names: { guid: "a/b" } });
  for (const path of ["/console/none", "/console/webhooks/a/b", "/console/%zz", "/elsewhere"]) {
    assert.equal(url.match(routes, path), null, path);
  }
});

test("JSON is set in lines and none of it changes", () => {
  const text = '{"id":12345678901234567890,"a":1.0,"a":"x\\"{,}","list":[],"more":[1,{"b":null}]}';
  const lines = indented(text);
  assert.equal(lines.replace(/\n\s*/g, "").replaceAll('": ', '":'), text);
  assert.match(lines, /^\{\n  "id": 12345678901234567890,\n  "a": 1\.0,/);
  assert.equal(indented("{not json"), null);
  const long = indented(JSON.stringify(Array.from({ length: 1000 }, () => "word")), 100);
  assert.ok(long.length > 100 && long.length < 120, long.length);
});

test("counts are summed into bins that end with the one that holds the end", () => {
  const minute = 60e6;
  const end = at("2026-11-01T12:00:30Z");
  const rows = [[0, 2], [0, 3], [-1, 5], [-3, 9]].map(([ago, received]) => ({ minute_at: now + ago * minute, received }));
  const bins = binned(rows, "received", { end, size: minute, count: 3 });
  assert.deepEqual(bins.map((bin) => bin.count), [0, 5, 5]);
  assert.equal(bins.at(-1).at, now);
});

test("the phases of an attempt follow one another, and what did not happen has none", () => {
  const lengths = (attempt) => spans(attempt).map(({ look, from, length }) => [look, from, length]);
  const fresh = { resolve_us: 10, connect_us: 30, headers_us: 100, duration_us: 120 };
  assert.deepEqual(lengths(fresh), [["resolve", 0, 10], ["connect", 10, 20], ["wait", 30, 70], ["read", 100, 20]]);
  const reused = { resolve_us: null, connect_us: null, headers_us: 100, duration_us: 120 };
  assert.deepEqual(lengths(reused), [["wait", 0, 100], ["read", 100, 20]]);
  assert.deepEqual(lengths({ duration_us: 5000 }), [["read", 0, 5000]]);
});
