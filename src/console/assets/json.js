// JSON set in lines, without changing any of it: the browser's own way would round numbers and drop repeated names.

const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s"{}[\],:]+/g;

/** The text with a line for each member; null if it is not JSON. */
export function indented(text) {
  try {
    JSON.parse(text);
  } catch {
    return null;
  }
  const out = [];
  let depth = 0;
  const line = () => `\n${"  ".repeat(depth)}`;
  for (const [token] of text.matchAll(TOKEN)) {
    const before = out.at(-1);
    if (token === "}" || token === "]") {
      depth -= 1;
      out.push(before === "{" || before === "[" ? "" : line(), token);
    } else {
      if (before === "{" || before === "[") out.push(line());
      out.push(token);
      if (token === "{" || token === "[") depth += 1;
      else if (token === ",") out.push(line());
      else if (token === ":") out.push(" ");
    }
  }
  return out.join("");
}
