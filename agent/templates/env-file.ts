/** A line that is no variable. `message` names it. */
export class EnvFileError extends Error {
  override readonly name = "EnvFileError";
}

const escapes: Readonly<Record<string, string>> = { '"': '"', "\\": "\\", "/": "/", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };

/**
 * Reads lines of `KEY=value`: blank lines and comments are left out, `export` before a key, and quotes around all or
 * parts of a value. In double quotes escapes are JSON's. A `#` outside of quotes begins a comment.
 *
 * @throws EnvFileError that names the line.
 */
export function parseEnvFile(content: string): Readonly<Record<string, string>> {
  const env: [string, string][] = [];
  for (const [i, line] of content.split("\n").entries()) {
    const text = line.trim();
    if (text === "" || text.startsWith("#")) continue;
    const at = text.indexOf("=");
    const refuse = (why: string): EnvFileError => new EnvFileError(`error on line ${i + 1}: ${why}`);
    if (at < 0) throw refuse("missing =");
    const key = text
      .slice(0, at)
      .trim()
      .replace(/^export (?=.)/, "");
    if (!/^[A-Za-z_][A-Za-z0-9_./]*$/.test(key))
      throw refuse(`got the key ${JSON.stringify(key)}, want letters, digits and characters of /_.`);
    env.push([key, readValue(text.slice(at + 1).trim(), refuse)]);
  }
  return Object.fromEntries(env);
}

function readValue(text: string, refuse: (why: string) => EnvFileError): string {
  // What control characters mean in a variable nobody knows.
  if (/\p{Cc}/u.test(text.replaceAll("\t", " ").replaceAll("\x7f", ""))) throw refuse("a control character in a value");
  const parts = /"((?:[^"\\]|\\.)*)"|'([^']*)'|(#.*)|([^"'#]+)|(["'])/gy;
  let value = "";
  // How much of it is no white space before a comment.
  let significant = 0;
  for (const [, double, single, comment, plain, open] of text.matchAll(parts)) {
    if (open !== undefined) throw refuse(`unmatched ${open}`);
    if (comment !== undefined) return value.slice(0, significant);
    value += double === undefined ? (single ?? plain ?? "") : unescaped(double, refuse);
    significant = plain === undefined ? value.length : Math.max(significant, value.trimEnd().length);
  }
  return value;
}

const unescaped = (text: string, refuse: (why: string) => EnvFileError): string =>
  text.replace(/\\(?:u([0-9a-fA-F]{4})|(.))/g, (whole, code: string | undefined, char: string) => {
    if (code !== undefined) return String.fromCharCode(Number.parseInt(code, 16));
    const known = escapes[char];
    if (known === undefined) throw refuse(`invalid escape sequence: ${whole}`);
    return known;
  });
