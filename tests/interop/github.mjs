// GitHub on one side, subscribers on the other, and hooklog between them.
//
// usage: github.mjs EXAMPLES_FOLDER OUT_FOLDER
// environment: INTEROP_HOOKLOG (binary), INTEROP_WEBHOOKS (URL), HOOKLOG_SERVER, HOOKLOG_TOKEN

import { execFileSync } from "node:child_process";
import { createHash, randomUUID } from "node:crypto";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { sign, verify } from "@octokit/webhooks-methods";
import { Webhook } from "standardwebhooks";

const [examplesFolder, out] = process.argv.slice(2);
const sourceSecret = "It's a Secret to Everybody";
const standardSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const githubSecret = "the subscription's own secret";
const patienceMs = 60_000;

const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");

/** Every example of every host that the package knows. */
function examples() {
  const hosts = readdirSync(examplesFolder, { withFileTypes: true }).filter((it) => it.isDirectory());
  return hosts.flatMap((host) =>
    JSON.parse(readFileSync(join(examplesFolder, host.name, "index.json"), "utf8")).flatMap((event) =>
      event.examples.map((example) => ({ event: event.name, json: JSON.stringify(example) })),
    ),
  );
}

/** A subscriber: keeps what came, and how it verified. */
async function subscriber(name, check) {
  const received = [];
  const server = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    let error = null;
    try {
      await check(body, request.headers);
    } catch (caught) {
      error = String(caught);
    }
    received.push({ headers: request.headers, body, error });
    response.statusCode = error ? 400 : 200;
    response.end();
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  return { name, received, server, url: `http://127.0.0.1:${server.address().port}/${name}` };
}

function hooklog(...words) {
  return execFileSync(process.env.INTEROP_HOOKLOG, words, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
}

function secretFile(name, secret) {
  const path = join(out, name);
  writeFileSync(path, `${secret}\n`, { mode: 0o600 });
  return path;
}

async function post({ event, json, form }) {
  const guid = randomUUID();
  const body = form ? `payload=${encodeURIComponent(json)}` : json;
  const answer = await fetch(process.env.INTEROP_WEBHOOKS, {
    method: "POST",
    headers: {
      "content-type": form ? "application/x-www-form-urlencoded" : "application/json",
      "user-agent": "GitHub-Hookshot/0123456",
      "x-github-delivery": guid,
      "x-github-event": event,
      "x-github-hook-id": "292430182",
      "x-hub-signature-256": await sign(sourceSecret, body),
    },
    body,
  });
  if (answer.status !== 200) throw new Error(`${event}: ${answer.status} ${await answer.text()}`);
  await answer.arrayBuffer();
  return { guid, event, sha256: sha256(body), json: sha256(json) };
}

/** Counts of equal hashes: two hosts share many examples. */
function counted(hashes) {
  const counts = new Map();
  for (const hash of hashes) counts.set(hash, (counts.get(hash) ?? 0) + 1);
  return counts;
}

function compare({ name, received }, sent) {
  const problems = received.filter((it) => it.error).map((it) => `${name}: ${it.error}`);
  const expected = counted(sent.map((it) => it.json));
  const found = counted(received.map((it) => sha256(it.body)));
  for (const [hash, count] of expected) {
    if (found.get(hash) !== count) problems.push(`${name}: body ${hash}: sent ${count}, received ${found.get(hash) ?? 0}`);
  }
  for (const hash of found.keys()) {
    if (!expected.has(hash)) problems.push(`${name}: body ${hash} was never sent`);
  }
  return problems;
}

async function waitFor(subscribers, count) {
  const start = Date.now();
  while (subscribers.some((it) => it.received.length < count)) {
    if (Date.now() - start > patienceMs) return;
    await new Promise((later) => setTimeout(later, 50));
  }
}

const standard = await subscriber("standard", (body, headers) => {
  new Webhook(standardSecret).verify(body.toString("utf8"), headers);
});
const github = await subscriber("github", async (body, headers) => {
  const right = await verify(githubSecret, body.toString("utf8"), headers["x-hub-signature-256"] ?? "");
  if (!right) throw new Error("X-Hub-Signature-256 does not verify");
  if (!headers["x-github-event"] || !headers["x-github-delivery"]) throw new Error("a GitHub header is missing");
});
const plain = await subscriber("plain", () => {});
const subscribers = [standard, github, plain];

hooklog("source", "create", "github", "--secret-file", secretFile("source-secret", sourceSecret));
const signing = {
  standard: ["--sign", "standard", "--secret-file", secretFile("standard-secret", standardSecret)],
  github: ["--sign", "github", "--secret-file", secretFile("github-secret", githubSecret)],
  plain: ["--sign", "none"],
};
for (const { name, url } of subscribers) {
  hooklog("subscription", "create", name, "--to", url, ...signing[name]);
}

const all = examples();
const forms = all.filter((_, index) => index % 10 === 0).map((it) => ({ ...it, json: it.json.replace(/}$/, ',"form":true}'), form: true }));
const sent = [];
for (const webhook of [...all, ...forms]) sent.push(await post(webhook));
await waitFor(subscribers, sent.length);

const lines = (rows) => rows.map((row) => `${JSON.stringify(row)}\n`).join("");
writeFileSync(join(out, "sent.ndjson"), lines(sent));
writeFileSync(
  join(out, "standard.ndjson"),
  lines(standard.received.map((it) => ({ headers: it.headers, body: it.body.toString("base64") }))),
);

const guids = new Set(github.received.map((it) => it.headers["x-github-delivery"]));
const problems = subscribers.flatMap((it) => compare(it, sent));
for (const { guid } of sent) if (!guids.has(guid)) problems.push(`github: ${guid} did not arrive under its GUID`);
for (const { server } of subscribers) server.close();
console.log(`${sent.length} webhooks sent (${forms.length} as a form), ${problems.length} problems`);
for (const problem of problems.slice(0, 20)) console.error(problem);
process.exit(problems.length === 0 && sent.length > 0 ? 0 : 1);
