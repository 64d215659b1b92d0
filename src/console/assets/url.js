// Where one is, and where links lead: pure functions over paths and queries.

export const ROOT = "/console/";

/** What stands in our queries is readable: only what would be misread is escaped. */
const escape = (text) =>
  encodeURIComponent(text).replace(/%(2F|40|3A|2C|2A)/g, (code) => decodeURIComponent(code));

/** The address of a page; what is empty in the query is left out. */
export function address(path, query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  const text = given.map(([name, value]) => `${escape(name)}=${escape(String(value))}`).join("&");
  return text ? `${path}?${text}` : path;
}

/** The path of a page below the root, with each part escaped. */
export function path(...parts) {
  return ROOT + parts.map(encodeURIComponent).join("/");
}

/** A query as an object; of a name that is given twice the last one counts. */
export function query(search) {
  return Object.fromEntries(new URLSearchParams(search));
}

/** The route among `routes` (`['deliveries/:id', page]`) that fits a path, with what its names stand for. */
export function match(routes, pathname) {
  if (!pathname.startsWith(ROOT)) return null;
  const given = parts(pathname);
  for (const [pattern, page] of routes) {
    const names = fit(pattern.split("/"), given);
    if (names) return { page, names };
  }
  return null;
}

/** What is no escape in a path fits no page. */
function parts(pathname) {
  try {
    return pathname.slice(ROOT.length).replace(/\/$/, "").split("/").map(decodeURIComponent);
  } catch {
    return ["%"];
  }
}

function fit(pattern, given) {
  if (pattern.length !== given.length) return null;
  const names = {};
  for (const [index, part] of pattern.entries()) {
    if (part.startsWith(":") && given[index]) names[part.slice(1)] = given[index];
    else if (part !== given[index]) return null;
  }
  return names;
}
