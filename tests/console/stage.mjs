// A server of hooklog with GitHub before it and subscribers behind it, all on this machine.

import { spawn } from "node:child_process";
import { createHmac, randomUUID } from "node:crypto";
import { createWriteStream, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createServer as createSocket } from "node:net";
import { join } from "node:path";

export const TOKEN = "admin-token-of-a-test-run";
export const HOSTILE = '<img src=x onerror="window.pwned=1">';
const SECRET = "It's a Secret to Everybody";
const PATIENCE_MS = 30_000;

/** Waits until `look` answers something; how often it looks does not matter. */
export async function until(what, look) {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > end) throw new Error(`waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Ports where nobody listens just now. */
async function ports(count) {
  const sockets = Array.from({ length: count }, () => createSocket());
  await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.listen(0, "127.0.0.1", resolve))));
  const found = sockets.map((socket) => socket.address().port);
  await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.close(resolve))));
  return found;
}

export class Stage {
  /** How the subscriber at a path answers; tests change it. */
  answers = {
    ok: () => [200, "ok"],
    flaky: (attempt) => (attempt === 1 ? [503, "warming up"] : [200, "ok"]),
    broken: () => [500, `${HOSTILE} the database is down`],
  };

  constructor(binary, folder) {
    Object.assign(this, { binary, folder });
  }

  async begin() {
    [this.port, this.apiPort] = await ports(2);
    this.url = `http://127.0.0.1:${this.apiPort}`;
    const config = "[deliver]\nallow = [\"127.0.0.0/8\"]\nexcerpts_of_allowed = true\n";
    writeFileSync(join(this.folder, "hooklog.toml"), config);
    await this.listen();
    await this.start();
  }

  /** Subscribers; each counts the attempts of each delivery. */
  async listen() {
    const seen = new Map();
    this.subscribers = createServer((request, response) => {
      const id = request.headers["webhook-id"];
      seen.set(id, (seen.get(id) ?? 0) + 1);
      const [status, text] = this.answers[request.url.slice(1)](seen.get(id));
      request.resume().on("end", () => response.writeHead(status).end(text));
    });
    await new Promise((resolve) => this.subscribers.listen(0, "127.0.0.1", resolve));
    this.subscriber = `http://127.0.0.1:${this.subscribers.address().port}`;
  }

  async start() {
    const flags = ["--data", join(this.folder, "data"), "--config", join(this.folder, "hooklog.toml")];
    const listen = ["--listen", `127.0.0.1:${this.port}`, "--api-listen", `127.0.0.1:${this.apiPort}`];
    const log = createWriteStream(join(this.folder, "server.log"), { flags: "a" });
    const environment = { ...process.env, HOOKLOG_ADMIN_TOKEN: TOKEN };
    this.server = spawn(this.binary, ["serve", ...flags, ...listen], { env: environment, stdio: ["ignore", "pipe", "pipe"] });
    this.server.stdout.pipe(log);
    this.server.stderr.pipe(log);
    this.ended = new Promise((resolve) => this.server.once("exit", resolve));
    await until("the server is ready", async () => {
      if (this.server.exitCode !== null) throw new Error("the server ended; see server.log");
      return (await fetch(`${this.url}/readyz`).catch(() => null))?.ok;
    });
  }

  async stop() {
    this.server.kill("SIGTERM");
    await this.ended;
  }

  /** Ends what was begun, and nothing else. */
  async end() {
    if (this.server && this.server.exitCode === null) await this.stop();
    this.subscribers?.closeAllConnections();
    this.subscribers?.close();
  }

  async api(method, path, body) {
    const headers = { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" };
    const answer = await fetch(`${this.url}/api/v1${path}`, { method, headers, body: body && JSON.stringify(body) });
    const told = await answer.json();
    if (!answer.ok) throw new Error(`${method} ${path}: ${JSON.stringify(told)}`);
    return told;
  }

  /** One webhook as GitHub sends it; answers its GUID. */
  async webhook(event, body) {
    const guid = randomUUID();
    const text = JSON.stringify(body);
    const signature = createHmac("sha256", SECRET).update(text).digest("hex");
    const headers = {
      "content-type": "application/json",
      "x-github-event": event,
      "x-github-delivery": guid,
      "x-hub-signature-256": `sha256=${signature}`,
    };
    const answer = await fetch(`http://127.0.0.1:${this.port}/webhooks/github`, { method: "POST", headers, body: text });
    if (!answer.ok) throw new Error(`a webhook was answered ${answer.status}`);
    return guid;
  }

  /** A source, subscribers, and webhooks whose deliveries all come to an end. */
  async seed() {
    await this.api("POST", "/sources", { name: "github", secret: SECRET });
    const policy = { attempts_max: 2, delay_first_ms: 300 };
    const subscribe = (name, events, team) =>
      this.api("POST", "/subscriptions", { name, team, to: `${this.subscriber}/${name}`, filter: { events }, policy, reason: "for the test" });
    await subscribe("ok", ["push", "pull_request"], "platform");
    await subscribe("flaky", ["pull_request"], "platform");
    await subscribe("broken", ["issues"], "payments");
    const repository = { id: 1, full_name: "acme/app" };
    for (let number = 0; number < 55; number += 1) await this.webhook("push", { ref: "refs/heads/main", number, repository });
    this.pull = await this.webhook("pull_request", { action: "opened", repository });
    this.issue = await this.webhook("issues", { action: "opened", repository });
    this.hostile = await this.webhook("push", { ref: HOSTILE, repository: { id: 2, full_name: HOSTILE } });
    await until("all deliveries have ended", async () => {
      const [open, all] = await Promise.all([this.api("GET", "/deliveries?state=open"), this.api("GET", "/deliveries?limit=500")]);
      return open.items.length === 0 && all.items.length === 59;
    });
  }

  /** The delivery of a subscription for an event. */
  async delivery(subscription, guid) {
    const { items } = await this.api("GET", `/deliveries?subscription=${subscription}&guid=${guid}`);
    return items[0];
  }
}
