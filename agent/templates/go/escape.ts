import { bytesOf, textOf } from "./values.js";

const html: Readonly<Record<string, string>> = { "\0": "\xef\xbf\xbd", '"': "&#34;", "'": "&#39;", "&": "&amp;", "<": "&lt;", ">": "&gt;" };

export const escapeHtml = (bytes: string): string => bytes.replace(/[\0"'&<>]/g, (char) => html[char] ?? char);

const printable = /[\p{L}\p{M}\p{N}\p{P}\p{S}]/u;

/** For a string between quotes in JavaScript. */
export const escapeJs = (bytes: string): string => bytesOf([...textOf(bytes)].map(jsCharacter).join(""));

function jsCharacter(char: string): string {
  if (char === "\\" || char === "'" || char === '"') return `\\${char}`;
  const code = char.codePointAt(0) ?? 0;
  const isPlain = code < 0x80 ? code >= 0x20 && !"<>&=".includes(char) : printable.test(char);
  return isPlain ? char : `\\u${code.toString(16).toUpperCase().padStart(4, "0")}`;
}

/** As a value in a query string. */
export const escapeQuery = (bytes: string): string =>
  bytes.replace(/[^A-Za-z0-9\-_.~]/g, (char) =>
    char === " " ? "+" : `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`,
  );
