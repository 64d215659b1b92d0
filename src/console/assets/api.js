// The public API, and the token that speaks to it. The token is kept for this tab only, until it is closed.

import { heard } from "./state.js";
import { address } from "./url.js";

const TOKEN = "hooklog.token";
const PATIENCE_MS = 15_000;

/** What the API, or the way to it, has against a request: RFC 9457. */
export class Problem extends Error {
  constructor({ status = 0, title, detail }) {
    super(detail);
    Object.assign(this, { status, title, detail });
  }
}

export const session = {
  token: () => sessionStorage.getItem(TOKEN),
  begin: (token) => sessionStorage.setItem(TOKEN, token),
  end: () => sessionStorage.removeItem(TOKEN),
  /** Set by the page: what to do when a token is no longer good. */
  refused: () => {},
};

const json = (answer) => answer.json();
const raw = (answer) => answer.arrayBuffer();

/** An answer as JSON. */
export const get = (path, query, signal) => send("GET", address(path, query), { signal, read: json });

/** What a command leads to. Nobody who left the page takes a command back, so no signal ends it. */
export const post = (path, body) => send("POST", path, { body, read: json });

/** The bytes of an answer. */
export const bytes = async (path) => new Uint8Array(await send("GET", path, { read: raw }));

/** The rows of a list, up to `pages` pages of them, and whether these are all. */
export async function all(path, query, signal, pages = 4) {
  const rows = [];
  let cursor;
  do {
    const page = await get(path, { limit: 500, ...query, cursor }, signal);
    rows.push(...page.items);
    cursor = page.next;
    pages -= 1;
  } while (cursor && pages > 0);
  return { rows, isWhole: !cursor };
}

/** Whether `token` is one: what the server says of it. A wrong one changes nothing. */
export async function tried(token) {
  if (!/^[\x21-\x7e]+$/.test(token)) {
    const detail = "A token is one word of letters, digits and signs, without spaces.";
    throw new Problem({ title: "This is no token", detail });
  }
  return asked("GET", "/status", { token, read: json });
}

/** Of several requests whose token is no longer good, the first one asks for another. */
async function send(method, path, how) {
  const token = session.token();
  try {
    return await asked(method, path, { ...how, token });
  } catch (problem) {
    if (problem.status === 401 && session.token() === token) session.refused(problem);
    throw problem;
  }
}

async function asked(method, path, { body, signal, token, read }) {
  const headers = { authorization: `Bearer ${token}` };
  if (body) headers["content-type"] = "application/json";
  const patience = AbortSignal.timeout(PATIENCE_MS);
  const both = signal ? AbortSignal.any([signal, patience]) : patience;
  try {
    return await reached(`/api/v1${path}`, { method, headers, signal: both, body: body && JSON.stringify(body) }, read);
  } catch (error) {
    if (error.name === "AbortError" || error instanceof Problem) throw error;
    throw new Problem(error.name === "TimeoutError" ? late(method) : unreachable());
  }
}

/** What `read` makes of the answer, all of which has to come in time. */
async function reached(url, options, read) {
  const sent = Date.now();
  const answer = await fetch(url, { ...options, cache: "no-store", credentials: "omit", redirect: "error" });
  heard(answer.headers.get("date"), sent);
  if (answer.ok) return read(answer);
  throw new Problem(await told(answer));
}

const unreachable = () => ({
  title: "The server does not answer",
  detail: `Nothing came back from ${location.host}: the server is stopped, or the way to it is cut.`,
});

/** A command may have been carried out although nobody said so. */
function late(method) {
  const detail = `${location.host} did not answer within ${PATIENCE_MS / 1000} seconds.`;
  const open = " Whether it was done is not known here: look at the history before you give it again.";
  return { title: "The answer did not come in time", detail: method === "POST" ? detail + open : detail };
}

async function told(answer) {
  const fallback = { title: "The server failed", detail: `It answered ${answer.status} and no reason.` };
  const problem = await answer.json().catch((error) => {
    if (error instanceof SyntaxError) return fallback;
    throw error;
  });
  return { ...fallback, ...problem, status: answer.status };
}
