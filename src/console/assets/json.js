// JSON set in lines, without changing any of it: the browser's own way would round numbers and drop repeated names.

const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s"{}[\],:]+/g;

/** The text with a line for each member, up to a little more than `most` characters; null if it is not JSON. */
export function indented(text, most = Infinity) {
  try {
    JSON.parse(text);
  } catch {
    return null;
  }
  const out = [];
  let depth = 0;
  let length = 0;
  const put = (...some) => {
    out.push(...some);
    for (const one of some) length += one.length;
  };
  const line = () => `\n${"  ".repeat(depth)}`;
  for (const [token] of text.matchAll(TOKEN)) {
    const before = out.at(-1);
    if (token === "}" || token === "]") {
      depth -= 1;
      put(before === "{" || before === "[" ? "" : line(), token);
    } else {
      if (before === "{" || before === "[") put(line());
      put(token);
      if (token === "{" || token === "[") depth += 1;
      else if (token === ",") put(line());
      else if (token === ":") put(" ");
    }
    if (length > most) break;
  }
  return out.join("");
}
