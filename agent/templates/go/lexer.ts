import { TemplateSyntaxError } from "./errors.js";
import { unquote } from "./literals.js";
import { textOf } from "./values.js";

export type TokenKind =
  | "text"
  | "left"
  | "right"
  | "space"
  | "declare"
  | "assign"
  | "pipe"
  | "("
  | ")"
  | "char"
  | "dot"
  | "field"
  | "variable"
  | "identifier"
  | "keyword"
  | "bool"
  | "number"
  | "character"
  | "string"
  | "end";

export interface Token {
  readonly kind: TokenKind;
  /** As it is in the source; of a text what trim markers leave of it. */
  readonly text: string;
  readonly at: number;
}

export interface Delimiters {
  readonly left: string;
  readonly right: string;
}

const keywords = new Set(["block", "break", "continue", "define", "else", "end", "if", "nil", "range", "template", "with"]);

const space = /[ \t\r\n]+/y;
const word = /[A-Za-z0-9_\x80-\xff]*/y;
const number =
  /[+-]?(?:0[xX][0-9a-fA-F_]+(?:\.[0-9a-fA-F_]*)?(?:[pP][+-]?[0-9_]+)?|0[oO][0-7_]+|0[bB][01_]+|(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9_]+)(?:[eE][+-]?[0-9_]+)?)i?/y;
const quoted = /"(?:[^"\\\n]|\\[^\n])*"/y;
const raw = /`[^`]*`/y;
const character = /'(?:[^'\\\n]|\\[^\n])+'/y;

/**
 * Cuts the source of a template into tokens, with the texts between actions trimmed as their markers say.
 *
 * @throws TemplateSyntaxError with the line.
 */
export function lex(source: string, delimiters: Delimiters): readonly Token[] {
  return new Lexer(source, delimiters).run();
}

class Lexer {
  readonly #source: string;
  readonly #left: string;
  readonly #right: string;
  readonly #tokens: Token[] = [];
  #at = 0;

  constructor(source: string, { left, right }: Delimiters) {
    this.#source = source;
    this.#left = left;
    this.#right = right;
  }

  run(): readonly Token[] {
    let trimNext = false;
    while (this.#at < this.#source.length) {
      const left = this.#source.indexOf(this.#left, this.#at);
      const end = left < 0 ? this.#source.length : left;
      const start = this.#at;
      const trimsBefore = left >= 0 && this.#isTrimMarker(left + this.#left.length);
      let text = this.#source.slice(start, end);
      if (trimNext) text = text.replace(/^[ \t\r\n]+/, "");
      if (trimsBefore) text = text.replace(/[ \t\r\n]+$/, "");
      if (text !== "") this.#push("text", text, start);
      if (left < 0) break;
      this.#at = left + this.#left.length + (trimsBefore ? 2 : 0);
      trimNext = this.#source.startsWith("/*", this.#at) ? this.#comment() : this.#action(left);
    }
    this.#push("end", "", this.#source.length);
    return this.#tokens;
  }

  /** Behind a left delimiter: a minus and a space. */
  #isTrimMarker(at: number): boolean {
    return this.#source[at] === "-" && isSpace(this.#source[at + 1]);
  }

  #comment(): boolean {
    const end = this.#source.indexOf("*/", this.#at);
    if (end < 0) throw this.#error("unclosed comment");
    this.#at = end + 2;
    const closed = this.#closing();
    if (!closed) throw this.#error("comment ends before closing delimiter");
    this.#at += closed.length;
    return closed.trims;
  }

  /** @returns whether the text behind it is to be trimmed. */
  #action(left: number): boolean {
    this.#push("left", this.#left, left);
    for (let depth = 0; ; ) {
      const closed = this.#closing();
      if (closed) {
        if (depth > 0) throw this.#error("unclosed left paren");
        this.#push("right", this.#right, this.#at);
        this.#at += closed.length;
        return closed.trims;
      }
      const char = this.#source[this.#at];
      if (char === undefined) throw this.#error("unclosed action");
      if (char === "(") depth++;
      if (char === ")" && --depth < 0) throw this.#error("unexpected right paren");
      this.#token(char);
    }
  }

  #closing(): { readonly length: number; readonly trims: boolean } | null {
    const at = this.#at;
    if (isSpace(this.#source[at]) && this.#source[at + 1] === "-" && this.#source.startsWith(this.#right, at + 2)) {
      return { length: 2 + this.#right.length, trims: true };
    }
    return this.#source.startsWith(this.#right, at) ? { length: this.#right.length, trims: false } : null;
  }

  #token(char: string): void {
    const [kind, length] = this.#measure(char);
    this.#push(kind, this.#source.slice(this.#at, this.#at + length), this.#at);
    this.#at += length;
  }

  #measure(char: string): readonly [kind: TokenKind, length: number] {
    if (isSpace(char)) return ["space", this.#spaces()];
    const next = this.#source[this.#at + 1] ?? "";
    if (char === ":") {
      if (next !== "=") throw this.#error("expected :=");
      return ["declare", 2];
    }
    if (char === "=") return ["assign", 1];
    if (char === "|") return ["pipe", 1];
    if (char === "(" || char === ")") return [char, 1];
    if (char === '"') return ["string", this.#literal("string", quoted, "unterminated quoted string")];
    if (char === "`") return ["string", this.#literal("string", raw, "unterminated raw quoted string")];
    if (char === "'") return ["character", this.#literal("character constant", character, "unterminated character constant")];
    if (char === "$") return ["variable", 1 + this.#word(1).length];
    if (char === "." && !/[0-9]/.test(next)) {
      const name = this.#word(1);
      return name === "" ? ["dot", 1] : ["field", 1 + name.length];
    }
    if (/[+\-.0-9]/.test(char)) return ["number", this.#number()];
    if (/[A-Za-z_\x80-\xff]/.test(char)) {
      const name = this.#word(0);
      const kind = keywords.has(name) ? "keyword" : name === "true" || name === "false" ? "bool" : "identifier";
      return [kind, name.length];
    }
    if (/[!-~]/.test(char)) return ["char", 1];
    throw this.#error(`unrecognized character in action: ${JSON.stringify(char)}`);
  }

  /** The space before a trim marker belongs to the closing delimiter. */
  #spaces(): number {
    const { length } = match(space, this.#source, this.#at);
    const end = this.#at + length;
    return this.#source[end] === "-" && this.#source.startsWith(this.#right, end + 1) ? length - 1 : length;
  }

  #word(from: number): string {
    const name = match(word, this.#source, this.#at + from);
    const end = this.#at + from + name.length;
    const after = this.#source[end];
    const isEnd = after === undefined || isSpace(after) || ".,|:()".includes(after) || this.#source.startsWith(this.#right, end);
    if (!isEnd) throw this.#error(`bad character ${JSON.stringify(textOf(after))}`, end);
    return name;
  }

  #number(): number {
    const text = match(number, this.#source, this.#at);
    const after = this.#source[this.#at + text.length] ?? "";
    if (text === "" || /[A-Za-z0-9_]/.test(after)) {
      const wrong = this.#source.slice(this.#at, this.#at + Math.max(1, text.length) + (text === "" ? 0 : 1));
      throw this.#error(`bad number syntax: ${JSON.stringify(wrong)}`);
    }
    return text.length;
  }

  #literal(what: string, pattern: RegExp, otherwise: string): number {
    const text = match(pattern, this.#source, this.#at);
    if (text === "") throw this.#error(otherwise);
    if (unquote(text) === undefined) throw this.#error(`malformed ${what}: ${textOf(text)}`);
    return text.length;
  }

  #push(kind: TokenKind, text: string, at: number): void {
    this.#tokens.push({ kind, text, at });
  }

  #error(message: string, at = this.#at): TemplateSyntaxError {
    return new TemplateSyntaxError(`template: :${lineOf(this.#source, at)}: ${message}`);
  }
}

const isSpace = (char: string | undefined): boolean => char !== undefined && " \t\r\n".includes(char);

function match(pattern: RegExp, source: string, at: number): string {
  pattern.lastIndex = at;
  return pattern.exec(source)?.[0] ?? "";
}

/** Counted from 1. */
export const lineOf = (source: string, at: number): number => source.slice(0, at).split("\n").length;
