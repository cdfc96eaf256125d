import { InvalidInput } from "./invalid-field.js";

/** A filter expression that can not be used. Source of the texts: reference behaviour §1.2. */
export class FilterError extends InvalidInput {
  override readonly name = "FilterError";
}

export type Token =
  | { readonly kind: "word"; readonly text: string; readonly at: number }
  | { readonly kind: "string"; readonly text: string; readonly at: number }
  | { readonly kind: "sign"; readonly text: string; readonly at: number };

const maxLength = 4_096;
const space = /\s+/y;
const string = /"((?:[^"\\]|\\.)*)"|`([^`]*)`/y;
const sign = /==|!=|<=|>=|[<>()[\]{}.,]/y;
const word = /[A-Za-z_][A-Za-z0-9_/]*|-?\d+(?:\.\d+)?/y;

/** Cuts an expression into tokens. @throws FilterError */
export function tokens(expression: string): readonly Token[] {
  if (expression.length > maxLength) throw syntaxError(expression, maxLength, `at most ${maxLength} characters`);
  const found: Token[] = [];
  let at = 0;
  const match = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    return pattern.exec(expression);
  };
  while (at < expression.length) {
    const blank = match(space);
    if (blank) {
      at += blank[0].length;
      continue;
    }
    const quoted = match(string);
    const text = quoted ?? match(sign) ?? match(word);
    if (!text) throw syntaxError(expression, at, "a selector, a value or an operator");
    if (quoted) found.push({ kind: "string", text: quoted[2] ?? unquote(quoted[1] ?? ""), at });
    else found.push({ kind: /^[\w-]/.test(text[0]) ? "word" : "sign", text: text[0], at });
    at += text[0].length;
  }
  return found;
}

/** The place as the reference tells it: line, column and offset. */
export function syntaxError(expression: string, at: number, expected: string): FilterError {
  const before = expression.slice(0, at).split("\n");
  const column = (before.at(-1)?.length ?? 0) + 1;
  return new FilterError(
    `failed to create result paginator: failed to read filter expression: ${before.length}:${column} (${at}): no match found, expected: ${expected}`,
  );
}

function unquote(text: string): string {
  try {
    return JSON.parse(`"${text}"`) as string;
  } catch {
    // Escapes of regular expressions, which JSON does not know, are kept as Go's raw strings keep them.
    return text.replace(/\\(["\\])/g, "$1");
  }
}
