// A browser in front of hooklog's console: what a person does, and what must never happen meanwhile.
//
// usage: browser.mjs BINARY OUT_FOLDER
// environment: CONSOLE_BROWSER (chromium)

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { HOSTILE, Stage, TOKEN, until } from "./stage.mjs";

const [binary, out] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const stage = new Stage(binary, out);
const wrongs = [];
let browser;
let page;

/** What nobody asked for: errors of pages, broken rules of the policy, requests to anywhere else. */
function watch(watched) {
  watched.on("pageerror", (error) => wrongs.push(`error in the page: ${error.stack}`));
  watched.on("console", (message) => {
    // That an answer was 401, or did not come, is in the console of the browser too, and is tested.
    const isAnswer = message.text().startsWith("Failed to load resource");
    if (["error", "warning"].includes(message.type()) && !isAnswer) wrongs.push(`console: ${message.text()}`);
  });
  watched.on("request", (request) => {
    if (!request.url().startsWith(`${stage.url}/`)) wrongs.push(`a request to ${request.url()}`);
  });
  watched.on("dialog", (dialog) => {
    wrongs.push(`a dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
}

async function open(options = {}, token = TOKEN) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
  if (token) await context.addInitScript((given) => sessionStorage.setItem("hooklog.token", given), token);
  const opened = await context.newPage();
  opened.setDefaultTimeout(20_000);
  watch(opened);
  return opened;
}

/** Goes to a path, and waits until everything that it shows has come. */
async function visit(path, where = page) {
  await where.goto(stage.url + path);
  await settled(where);
}

const settled = (where = page) => where.locator("main h1").waitFor().then(() => where.waitForFunction(() => !document.querySelector("[aria-busy=true]")));
const text = (words, where = page) => where.getByText(words).first().waitFor();
const button = (name) => page.getByRole("button", { name, exact: true });

/** Answers the dialog of a command. */
async function confirm(label, fields) {
  const dialog = page.getByRole("dialog");
  for (const [name, value] of Object.entries(fields)) await dialog.locator(`[name=${name}]`).fill(value);
  await dialog.getByRole("button", { name: label, exact: true }).click();
  await dialog.waitFor({ state: "detached" });
}

/** Lets the first request to an address wait until it is released; those that follow are answered at once. */
async function hold(pattern) {
  let release;
  const released = new Promise((resolve) => {
    release = resolve;
  });
  const asked = new Promise((resolve) => {
    const waiting = async (route) => {
      resolve();
      await released;
      // The page may have given it up meanwhile.
      await route.continue().catch(() => {});
    };
    page.route(pattern, waiting, { times: 1 });
  });
  return { asked, release };
}

async function accessible(where, path) {
  await where.evaluate(axe);
  const { violations } = await where.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  const told = violations
    .filter(({ impact }) => ["serious", "critical"].includes(impact))
    .map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).slice(0, 3).join(" ; ")}`);
  assert.deepEqual(told, [], `accessibility of ${path}`);
}

const steps = {
  async "a wrong token is refused and says so"() {
    page = await open({}, null);
    await page.goto(`${stage.url}/`);
    await page.waitForURL("**/console/");
    await text("hooklog token create");
    await page.getByLabel("API token").fill("not-the-token");
    await button("Sign in").click();
    await text("the token is not known, or was revoked");
    await page.getByLabel("API token").fill("två ord");
    await button("Sign in").click();
    await text("A token is one word");
    assert.equal(await page.evaluate(() => sessionStorage.getItem("hooklog.token")), null);
  },

  async "after signing in one is where one wanted to be, and the token is in this tab only"() {
    await page.goto(`${stage.url}/console/deliveries?state=dead`);
    await page.getByLabel("API token").fill(TOKEN);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Deliveries", level: 1 }).waitFor();
    await settled();
    assert.match(page.url(), /\/console\/deliveries\?state=dead$/);
    assert.equal(await page.locator("tbody tr").count(), 1);
    assert.deepEqual(await page.evaluate(() => [localStorage.length, document.cookie]), [0, ""]);
  },

  async "the overview tells what there is"() {
    await visit("/console/");
    await page.getByRole("link", { name: /^Webhooks\s*58$/ }).waitFor();
    await page.getByRole("link", { name: /^Delivered\s*58$/ }).waitFor();
    await page.getByRole("link", { name: /^Dead letters\s*1$/ }).waitFor();
    await page.getByRole("img", { name: /^Received: 58 in all/ }).waitFor();
    await text("attempts exhausted");
  },

  async "lists are filtered by the address and paged by the cursor"() {
    await visit("/console/webhooks");
    assert.equal(await page.locator("tbody tr").count(), 50);
    await page.getByRole("link", { name: "Older →" }).click();
    await settled();
    assert.equal(await page.locator("tbody tr").count(), 8);
    await page.getByRole("link", { name: "First page" }).click();
    await settled();
    await page.locator(".skip").press("Enter");
    assert.equal(await page.evaluate(() => document.activeElement.id), "main");
    await page.keyboard.press("/");
    assert.equal(await page.evaluate(() => document.activeElement.name), "repository");
    await page.getByLabel("Event").fill("pull_request");
    await page.keyboard.press("Enter");
    await settled();
    assert.match(page.url(), /\?event=pull_request$/);
    assert.equal(await page.locator("tbody tr").count(), 1);
    await page.getByLabel("State").selectOption("unmatched");
    await button("Filter").click();
    await text("No webhook fits");
    await page.getByLabel("Received from").fill("yesterday");
    await button("Filter").click();
    assert.equal(await page.evaluate(() => document.activeElement.validity.customError), true);
    await page.getByRole("link", { name: "Clear" }).click();
    await settled();
    assert.equal(await page.locator("tbody tr").count(), 50);
    await visit("/console/webhooks?event=a%20b&from=tomorrow");
    await text("it must be a time of RFC 3339");
    await button("Try again").waitFor();
  },

  async "a webhook tells its life, why not, and who looked at its body"() {
    await visit(`/console/webhooks/${stage.pull}`);
    await text("Decided: 2 subscriptions match");
    await page.getByRole("button", { name: `Copy ${stage.pull}` }).click();
    await page.context().grantPermissions(["clipboard-read"]);
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), stage.pull);
    assert.equal(await page.locator(".life .retry").count(), 1);
    await page.getByLabel("For subscription").fill("broken");
    await button("Explain").click();
    await page.getByRole("cell", { name: "issues", exact: true }).waitFor();
    await button("Show headers").click();
    await text("x-hub-signature-256");
    await text("Nobody, through the API.");
    await button("Show the body – looking is recorded").dblclick();
    await page.locator(".payload", { hasText: '"full_name": "acme/app"' }).waitFor();
    await text("The body was looked at by");
    const looks = await stage.api("GET", `/body-reads?guid=${stage.pull}`);
    assert.equal(looks.items.length, 1);
    // A refresh closes nothing that somebody opened.
    await button("Refresh").click();
    await page.locator(".payload", { hasText: '"full_name": "acme/app"' }).waitFor();
  },

  async "a delivery tells its attempts, which can be compared"() {
    const { id } = await stage.delivery("flaky", stage.pull);
    await visit(`/console/deliveries/${id}`);
    await page.getByRole("heading", { name: "Attempts (2)" }).waitFor();
    await text("HTTP 503");
    await page.locator("summary", { hasText: "HTTP 503" }).click();
    await text("warming up");
    await button("Compare").click();
    await page.getByRole("heading", { name: "Attempt #1 compared with #2" }).waitFor();
    assert.equal(await page.evaluate(() => document.activeElement.id), "compared");
    await page.getByRole("row", { name: "status 503 200" }).waitFor();
  },

  async "what is delivered now is open as of its decision"() {
    const { id } = await stage.delivery("flaky", stage.pull);
    await visit(`/console/deliveries/${id}`);
    await page.locator(".lead .badge.delivered").waitFor();
    await page.getByRole("region", { name: "States over time" }).locator("tbody tr").first().getByRole("link").click();
    await page.locator(".lead .badge.open").waitFor();
    await text("No attempt was made yet.");
    assert.match(page.url(), /as_of=deliveries\/\d+@\d+$/);
    assert.equal(await page.evaluate(() => document.body.dataset.time), "past");
    await text("You are looking at");
    // When that record was appended is known from the page before, so one can step from it.
    assert.equal(await button("+1 min").isEnabled(), true);
    // Every link stays there, and nothing can be commanded there.
    await page.getByRole("link", { name: "Subscriptions", exact: true }).click();
    await settled();
    assert.match(page.url(), /subscriptions\?as_of=deliveries\//);
    await page.getByRole("link", { name: "flaky" }).click();
    await settled();
    assert.equal(await button("Pause").count(), 0);
    await page.getByRole("link", { name: "Back to now" }).click();
    await button("Pause").waitFor();
    assert.equal(await page.evaluate(() => document.body.dataset.time), "now");
    assert.doesNotMatch(page.url(), /as_of/);
  },

  async "points are typed, stepped and bookmarked, and wrong ones are explained"() {
    await visit("/console/deliveries");
    await page.getByLabel("As of").fill("1s");
    await page.keyboard.press("Enter");
    await page.waitForURL(/as_of=\d{4}-\d\d-\d\dT[\d:.]+Z$/);
    await button("−1 h").click();
    await text(/The log|the log|before/);
    await button("Try again").waitFor();
    await button("+1 h").click();
    await settled();
    assert.equal(await page.locator("tbody tr").count(), 50);
    await page.getByText("Bookmarks", { exact: true }).click();
    await button("Bookmark this point").click();
    await confirm("Bookmark this point", { name: "incident-42", reason: HOSTILE });
    await text("The point is @incident-42 from now on.");
    await page.getByRole("link", { name: "@incident-42" }).press("Escape");
    await page.getByRole("link", { name: "@incident-42" }).waitFor({ state: "hidden" });
    await visit("/console/deliveries");
    await page.getByText("Bookmarks", { exact: true }).click();
    await page.getByRole("link", { name: "@incident-42" }).click();
    await page.waitForURL(/as_of=@incident-42$/);
    await settled();
    assert.equal(await page.locator("tbody tr").count(), 50);
    await page.getByLabel("As of").fill("yesterday");
    await button("Go").click();
    assert.equal(await page.evaluate(() => document.activeElement.validity.customError), true);
    await visit("/console/?as_of=yesterday");
    await text("The point of time is not one");
    assert.equal(await page.getByLabel("As of").inputValue(), "yesterday");
    assert.equal(await page.locator("#auto").count(), 0);
    await visit("/console/webhooks?as_of=2100-01-01");
    await text("not yet");
    assert.equal(await page.evaluate(() => document.body.dataset.time), "now");
    await visit("/console/system?as_of=@incident-42");
    await text("This page has no past");
  },

  async "a pause has its reason in the history, as text"() {
    await visit("/console/subscriptions/ok");
    await button("Pause").click();
    const reason = page.getByRole("dialog").locator("[name=reason]");
    await reason.fill("   ");
    await page.getByRole("dialog").getByRole("button", { name: "Pause", exact: true }).click();
    assert.equal(await reason.evaluate((input) => input.validity.patternMismatch), true);
    // What was asked before the command is answered after it, and does not hide what the command did.
    const held = await hold("**/api/v1/subscriptions/ok");
    await page.evaluate(() => document.getElementById("refresh").click());
    await held.asked;
    await confirm("Pause", { reason: `too noisy ${HOSTILE}` });
    await page.locator(".lead .badge.paused").waitFor();
    await held.release();
    assert.equal(await page.locator(".lead .badge.paused").count(), 1);
    await page.getByRole("link", { name: "History" }).click();
    await page.getByRole("row", { name: /subscription\.paused bootstrap/ }).getByText(`too noisy ${HOSTILE}`).waitFor();
    await visit("/console/subscriptions/ok");
    await button("Resume").click();
    await confirm("Resume", { reason: "quiet again" });
    await page.locator(".lead .badge.active").waitFor();
    await page.getByRole("link", { name: "Who set what" }).click();
    await page.getByRole("row", { name: /^state active paused bootstrap/ }).waitFor();
    await page.getByRole("row", { name: /^filter\.events push pull_request any bootstrap/ }).waitFor();
  },

  async "what somebody left behind is there on the way back, and a question is not"() {
    await visit("/console/webhooks");
    await page.evaluate(() => scrollTo(0, 700));
    await until("the place is kept", () => page.evaluate(() => history.state?.scroll === 700));
    await page.locator("tbody tr").nth(30).getByRole("link").first().click();
    await settled();
    await page.goBack();
    await until("the place is there again", () => page.evaluate(() => scrollY === 700));
    await page.getByRole("link", { name: "Subscriptions", exact: true }).click();
    await page.getByRole("link", { name: "ok", exact: true }).click();
    await button("Pause").click();
    await page.getByRole("dialog").waitFor();
    await page.goBack();
    await page.getByRole("dialog").waitFor({ state: "detached" });
  },

  async "what a subscription did not get is told with the reason"() {
    await visit("/console/subscriptions/broken?tab=missed");
    await page.getByRole("row", { name: /^given up: attempts exhausted 1$/ }).waitFor();
    assert.equal(await page.getByRole("region", { name: "Not received" }).locator("tbody tr").count(), 1);
    await page.getByLabel("Show").selectOption("unwanted too");
    await button("Filter").click();
    await page.getByRole("row", { name: /^not matched: events push/ }).first().waitFor();
  },

  async "changes between two points are told"() {
    await visit("/console/changes?from=@incident-42");
    await text("How much there was");
    await text("No source, subscription or token changed");
    await stage.api("POST", "/subscriptions", { name: "later", to: `${stage.subscriber}/ok`, filter: { events: ["none"] } });
    await button("Refresh").click();
    await page.getByRole("link", { name: "later" }).waitFor();
    await page.getByRole("link", { name: "Last week" }).click();
    await text("The log begins at");
    await page.getByRole("link", { name: "Since the beginning" }).click();
    await page.getByRole("link", { name: "github" }).waitFor();
  },

  async "a dead letter is redriven"() {
    stage.answers.broken = () => [200, "well again"];
    await visit("/console/dead-letters");
    await button("Redrive").click();
    await confirm("Redrive", { reason: "the database is up" });
    await text("The redrive is on record");
    await text("No dead letter fits");
    const { id } = await stage.delivery("broken", stage.issue);
    await visit(`/console/deliveries/${id}`);
    await until("it is delivered", async () => {
      await button("Refresh").click();
      return page.locator(".lead .badge.delivered").count();
    });
    await page.getByRole("row", { name: /^open .* by bootstrap from 127\.0\.0\.1 .*the database is up/ }).waitFor();
  },

  async "a replay tells how far it is, and was, and is paused and given up"() {
    const asked = { mode: "current_routing", subscription: "ok", from: "2026-01-01T00:00:00Z", rate_per_second: 1, reason: "the queue was dropped" };
    stage.replay = (await stage.api("POST", "/replays", asked)).replay;
    await visit("/console/replays");
    await page.getByRole("row", { name: /current routing.*the queue was dropped/ }).waitFor();
    await visit(`/console/replays/${stage.replay}`);
    await page.locator(".lead .badge.running").waitFor();
    await button("Pause").click();
    await confirm("Pause", { reason: "in the way" });
    await page.locator(".lead .badge.paused").waitFor();
    await button("Cancel").click();
    await confirm("Cancel", { reason: "not needed" });
    await page.locator(".lead .badge.cancelled").waitFor();
    await page.getByRole("row", { name: /replay\.cancelled bootstrap.*not needed/ }).waitFor();
    const { offset } = await stage.api("GET", `/replays/${stage.replay}`);
    await visit(`/console/replays/${stage.replay}?as_of=control/0@${offset}`);
    await page.locator(".lead .badge.waiting").waitFor();
  },

  async "what is hostile is text"() {
    const { id } = await stage.delivery("ok", stage.hostile);
    const { id: broken } = await stage.delivery("broken", stage.issue);
    await stage.webhook("issues", { action: HOSTILE, repository: { id: 3, full_name: HOSTILE } });
    for (const path of ["webhooks", "deliveries", `webhooks/${stage.hostile}`, `deliveries/${id}`, `webhooks?repository=${encodeURIComponent(HOSTILE)}`]) {
      await visit(`/console/${path}`);
      await text(HOSTILE);
    }
    await visit(`/console/deliveries/${broken}`);
    for (const summary of await page.locator("summary", { hasText: "HTTP 500" }).all()) await summary.click();
    await text(`${HOSTILE} the database is down`);
    for (const path of [HOSTILE, `webhooks/${HOSTILE}`, `subscriptions/${HOSTILE}?tab=${HOSTILE}`, `webhooks?event=${HOSTILE}&as_of=@${HOSTILE}`]) {
      await page.goto(`${stage.url}/console/${encodeURI(path)}`);
      await settled();
    }
    const found = await page.evaluate(() => [window.pwned, document.querySelectorAll("img:not([src^='/console/assets/']), script:not([src])").length]);
    assert.deepEqual(found, [undefined, 0]);
  },

  async "a refresh keeps focus, place and what is open"() {
    const { id } = await stage.delivery("flaky", stage.pull);
    await visit(`/console/deliveries/${id}`);
    await page.locator("summary", { hasText: "HTTP 503" }).click();
    await page.locator("summary", { hasText: "HTTP 503" }).focus();
    await page.waitForResponse((answer) => answer.url().includes(`/api/v1/deliveries/${id}`));
    await settled();
    const kept = await page.evaluate(() => [document.activeElement.nodeName, document.querySelectorAll("details.attempt[open]").length]);
    assert.deepEqual(kept, ["SUMMARY", 2]);
    await visit("/console/webhooks");
    const third = page.locator("tbody tr").nth(2).getByRole("link").first();
    await third.focus();
    const href = await third.getAttribute("href");
    await stage.webhook("push", { ref: "refs/heads/new", repository: { id: 1, full_name: "acme/app" } });
    await page.getByRole("cell", { name: "new", exact: true }).waitFor();
    assert.equal(await page.evaluate(() => document.activeElement.getAttribute("href")), href);
    await button("Auto-refresh: 5 s").click();
    await button("Auto-refresh: off").click();
  },

  async "a revoked token leads back to the form, and then to where one was"() {
    const { token } = await stage.api("POST", "/tokens", { name: "reader", holder: "person", role: "read" });
    const reader = await open({}, null);
    await reader.goto(`${stage.url}/console/subscriptions/ok?tab=history`);
    const sign = async (given) => {
      await reader.getByLabel("API token").fill(given);
      await reader.keyboard.press("Enter");
    };
    await sign(token);
    await text("quiet again", reader);
    await visit("/console/subscriptions/ok", reader);
    await text("team platform", reader);
    assert.equal(await reader.getByRole("button", { name: "Pause" }).count(), 0);
    await reader.goBack();
    await stage.api("DELETE", "/tokens/reader");
    await text("the token is not known, or was revoked", reader);
    await sign(TOKEN);
    await text("quiet again", reader);
    assert.match(reader.url(), /subscriptions\/ok\?tab=history$/);
    await reader.getByRole("button", { name: "Sign out" }).click();
    await reader.getByLabel("API token").waitFor();
    await reader.context().close();
  },

  async "a server that stops is told, and what is there stays until it is back"() {
    await visit("/console/deliveries");
    const rows = await page.locator("tbody tr").count();
    await stage.stop();
    await text("The server does not answer");
    await text("What is below is from before.");
    assert.equal(await page.locator("tbody tr").count(), rows);
    await stage.start();
    await page.locator(".problem").waitFor({ state: "detached" });
    assert.equal(await page.locator("tbody tr").count(), rows);
  },

  async "every page is accessible, now and in the past, light and dark, and fits a narrow window"() {
    const { id } = await stage.delivery("flaky", stage.pull);
    const details = [`webhooks/${stage.pull}?why=broken`, `webhooks/${stage.hostile}`, `deliveries/${id}?first=1&second=2`, "sources/github", `replays/${stage.replay}`];
    const tabs = ["", "?tab=blame", "?tab=history", "?tab=received", "?tab=missed"].map((tab) => `subscriptions/ok${tab}`);
    const lists = ["", "webhooks", "deliveries", "dead-letters", "subscriptions", "sources", "replays", "changes?from=@incident-42", "system"];
    const pages = [...lists, ...details, ...tabs].map((path) => `/console/${path}`);
    const past = (path) => `${path}${path.includes("?") ? "&" : "?"}as_of=@incident-42`;
    // Each page once in a wide and once in a narrow window; the other two palettes on pages that use all of them.
    const some = ["deliveries", `webhooks/${stage.pull}?why=broken`, `deliveries/${id}?first=1&second=2`].map((path) => `/console/${path}`);
    const narrow = { viewport: { width: 390, height: 844 } };
    await Promise.all([
      examine({ colorScheme: "light" }, [...pages, ...some.map(past)]),
      examine({ colorScheme: "dark", ...narrow }, [...pages.filter((path) => !path.includes("changes")).map(past), ...some]),
    ]);
    const form = await open({ viewport: { width: 390, height: 844 } }, null);
    await form.goto(`${stage.url}/console/`);
    await form.getByLabel("API token").waitFor();
    await accessible(form, "the form");
    await form.context().close();
  },
};

async function examine(options, paths) {
  const where = await open(options);
  for (const path of paths) {
    await visit(path, where);
    const [wide, window] = await where.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    assert.ok(wide <= window, `${path} is ${wide} px wide in a window of ${window} px`);
    await accessible(where, path);
  }
  await where.context().close();
}

async function run() {
  await stage.begin();
  await stage.seed();
  browser = await chromium.launch({ executablePath: process.env.CONSOLE_BROWSER, args: ["--no-sandbox"] });
  for (const [name, step] of Object.entries(steps)) {
    const begun = Date.now();
    await step();
    assert.deepEqual(wrongs, [], `while ${name}`);
    console.log(`ok ${((Date.now() - begun) / 1000).toFixed(1).padStart(5)} s  ${name}`);
  }
}

async function end() {
  await browser?.close();
  await stage.end();
}

process.once("SIGTERM", () => end().then(() => process.exit(143)));
try {
  await run();
} catch (error) {
  console.error(error);
  await page?.screenshot({ path: join(out, "failure.png") }).catch(() => {});
  console.error(`a picture of the page and the server's log are in ${out}`);
  process.exitCode = 1;
} finally {
  await end();
}
