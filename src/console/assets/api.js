// The public API, and the token that speaks to it. The token is kept for this tab only, until it is closed.

import { address } from "./url.js";

const TOKEN = "hooklog.token";

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

/** An answer as JSON. */
export async function get(path, query, signal) {
  const answer = await send("GET", address(path, query), { signal });
  return answer.json();
}

/** What a command leads to. */
export async function post(path, body) {
  const answer = await send("POST", path, { body });
  return answer.json();
}

/** The bytes of an answer. */
export async function bytes(path) {
  const answer = await send("GET", path, {});
  return new Uint8Array(await answer.arrayBuffer());
}

/** All rows of a list, up to `pages` pages of them. */
export async function all(path, query, signal, pages = 4) {
  const rows = [];
  let cursor;
  do {
    const page = await get(path, { limit: 500, ...query, cursor }, signal);
    rows.push(...page.items);
    cursor = page.next;
    pages -= 1;
  } while (cursor && pages > 0);
  return rows;
}

/** Whether `token` is one: what the server says of it. A wrong one changes nothing. */
export async function tried(token) {
  if (!/^[\x21-\x7e]+$/.test(token)) {
    const detail = "A token is one word of letters, digits and signs, without spaces.";
    throw new Problem({ title: "This is no token", detail });
  }
  const answer = await asked("GET", "/status", { token });
  return answer.json();
}

/** Of several requests whose token is no longer good, the first one asks for another. */
async function send(method, path, { body, signal }) {
  const token = session.token();
  try {
    return await asked(method, path, { body, signal, token });
  } catch (problem) {
    if (problem.status === 401 && session.token() === token) session.refused(problem);
    throw problem;
  }
}

async function asked(method, path, { body, signal, token }) {
  const headers = { authorization: `Bearer ${token}` };
  if (body) headers["content-type"] = "application/json";
  const answer = await reached(`/api/v1${path}`, { method, headers, signal, body: body && JSON.stringify(body) });
  if (answer.ok) return answer;
  throw new Problem(await told(answer));
}

async function reached(url, options) {
  try {
    return await fetch(url, { ...options, cache: "no-store", credentials: "omit", redirect: "error" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem({
      title: "The server does not answer",
      detail: `Nothing came back from ${location.host}: the server is stopped, or the way to it is cut.`,
    });
  }
}

async function told(answer) {
  const fallback = { title: "The server failed", detail: `It answered ${answer.status} and no reason.` };
  const problem = await answer.json().catch(() => fallback);
  return { ...fallback, ...problem, status: answer.status };
}
