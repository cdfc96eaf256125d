import { InvalidInput } from "../model/invalid-field.js";

/** HCL that can not be read or is not supported. */
export class HclError extends InvalidInput {
  override readonly name = "HclError";
}

/** An expression of HCL, as far as job specifications use them. */
export type Expression =
  | { readonly kind: "literal"; readonly value: string | number | boolean | null }
  /** A text with expressions in it. */
  | { readonly kind: "template"; readonly parts: readonly (string | Interpolation)[] }
  | { readonly kind: "name"; readonly name: string }
  | { readonly kind: "get"; readonly of: Expression; readonly key: Expression }
  | { readonly kind: "call"; readonly name: string; readonly args: readonly Expression[] }
  | { readonly kind: "unary"; readonly operator: string; readonly of: Expression }
  | { readonly kind: "binary"; readonly operator: string; readonly left: Expression; readonly right: Expression }
  | { readonly kind: "if"; readonly test: Expression; readonly yes: Expression; readonly no: Expression }
  | { readonly kind: "list"; readonly items: readonly Expression[] }
  | { readonly kind: "object"; readonly entries: readonly (readonly [key: Expression, value: Expression])[] };

export interface Interpolation {
  readonly expression: Expression;
  /** As it was written, without the braces. */
  readonly source: string;
}

type TemplateEnd = "end" | "else" | "endif";

const maxDepth = 64;
const levels: readonly (readonly string[])[] = [["||"], ["&&"], ["==", "!="], ["<=", ">=", "<", ">"], ["+", "-"], ["*", "/", "%"]];
const escapes: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", '"': '"', "\\": "\\" };

/**
 * The parts of a text whose escapes are resolved already: `${...}` is an expression, `$${` is what it says.
 *
 * @throws HclError
 */
export function parseTemplate(text: string): readonly (string | Interpolation)[] {
  return new Reader(text).template();
}

class Reader {
  readonly #text: string;
  #at = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
  }

  template(): readonly (string | Interpolation)[] {
    return this.#template(false, ["end"]).parts;
  }

  /**
   * @param quoted whether it ends with a quote and has escapes of its own.
   * @param ends what may end it: the text itself, or a directive.
   */
  #template(
    quoted: boolean,
    ends: readonly TemplateEnd[],
  ): { readonly parts: readonly (string | Interpolation)[]; readonly end: TemplateEnd } {
    const parts: (string | Interpolation)[] = [];
    let literal = "";
    const flush = (): void => {
      if (literal !== "") parts.push(literal);
      literal = "";
    };
    const ended = (end: TemplateEnd) => {
      if (!ends.includes(end)) throw this.#error(end === "end" ? "%{ if } has no %{ endif }" : `%{ ${end} } has no %{ if }`);
      flush();
      return { parts, end };
    };
    for (;;) {
      if (this.#at >= this.#text.length) {
        if (quoted) throw this.#error("a text has no end");
        return ended("end");
      }
      if (quoted && this.#takes('"')) return ended("end");
      if (this.#takes("$${")) literal += "${";
      else if (this.#takes("%%{")) literal += "%{";
      else if (this.#takes("%{")) {
        const word = this.#directive();
        if (word !== "if") return ended(word);
        flush();
        parts.push(this.#condition(quoted));
      } else if (this.#takes("${")) {
        flush();
        parts.push(this.#interpolation());
      } else if (quoted && this.#text[this.#at] === "\\") literal += this.#escape();
      else literal += this.#text[this.#at++];
    }
  }

  #directive(): "if" | "else" | "endif" {
    this.#space();
    const [word = ""] = /^\w+/.exec(this.#text.slice(this.#at)) ?? [];
    if (word !== "if" && word !== "else" && word !== "endif")
      throw this.#error("of directives only %{ if }, %{ else } and %{ endif } are supported");
    this.#at += word.length;
    if (word !== "if") this.#need("}");
    return word;
  }

  /** The parser also writes a conditional expression in a text this way. */
  #condition(quoted: boolean): Interpolation {
    if (++this.#depth > maxDepth) throw this.#error(`nested more than ${maxDepth} levels deep`);
    const start = this.#at;
    const test = this.#expression();
    this.#need("}");
    const yes = this.#template(quoted, ["else", "endif"]);
    const no = yes.end === "else" ? this.#template(quoted, ["endif"]).parts : [];
    this.#depth--;
    const expression: Expression = { kind: "if", test, yes: { kind: "template", parts: yes.parts }, no: { kind: "template", parts: no } };
    return { expression, source: this.#text.slice(start, this.#at) };
  }

  #interpolation(): Interpolation {
    const start = this.#at;
    const expression = this.#expression();
    const source = this.#text.slice(start, this.#at).trim();
    this.#need("}");
    return { expression, source };
  }

  #expression(): Expression {
    if (++this.#depth > maxDepth) throw this.#error(`nested more than ${maxDepth} levels deep`);
    const test = this.#binary(0);
    if (!this.#sees("?")) {
      this.#depth--;
      return test;
    }
    this.#need("?");
    const yes = this.#expression();
    this.#need(":");
    const no = this.#expression();
    this.#depth--;
    return { kind: "if", test, yes, no };
  }

  #binary(level: number): Expression {
    const operators = levels[level];
    if (!operators) return this.#unary();
    let left = this.#binary(level + 1);
    for (;;) {
      const operator = operators.find((candidate) => this.#sees(candidate));
      if (operator === undefined) return left;
      this.#need(operator);
      left = { kind: "binary", operator, left, right: this.#binary(level + 1) };
    }
  }

  #unary(): Expression {
    for (const operator of ["!", "-"]) {
      if (!this.#sees(operator)) continue;
      this.#need(operator);
      if (++this.#depth > maxDepth) throw this.#error(`nested more than ${maxDepth} levels deep`);
      const of = this.#unary();
      this.#depth--;
      return { kind: "unary", operator, of };
    }
    return this.#postfix(this.#primary());
  }

  #postfix(start: Expression): Expression {
    let of = start;
    for (;;) {
      this.#space();
      if (/^\.\*|^\[\*\]/.test(this.#text.slice(this.#at, this.#at + 3))) throw this.#error("splat expressions are not supported");
      if (this.#takes("[")) {
        of = { kind: "get", of, key: this.#expression() };
        this.#need("]");
        continue;
      }
      const [, name] = /^\.([\w-]+)/.exec(this.#text.slice(this.#at)) ?? [];
      if (name === undefined) return of;
      this.#at += name.length + 1;
      of = { kind: "get", of, key: { kind: "literal", value: /^\d+$/.test(name) ? Number(name) : name } };
    }
  }

  #primary(): Expression {
    this.#space();
    if (this.#takes("(")) {
      const inner = this.#expression();
      this.#need(")");
      return inner;
    }
    if (this.#takes('"')) return { kind: "template", parts: this.#template(true, ["end"]).parts };
    if (this.#takes("[")) return this.#list();
    if (this.#takes("{")) return this.#object();
    const rest = this.#text.slice(this.#at);
    const [number] = /^\d+(\.\d+)?([eE][+-]?\d+)?/.exec(rest) ?? [];
    if (number !== undefined) {
      this.#at += number.length;
      return { kind: "literal", value: Number(number) };
    }
    const [name] = /^[A-Za-z_][\w-]*/.exec(rest) ?? [];
    if (name === undefined) throw this.#error("an expression is expected");
    this.#at += name.length;
    return this.#named(name);
  }

  #named(name: string): Expression {
    if (name === "true" || name === "false") return { kind: "literal", value: name === "true" };
    if (name === "null") return { kind: "literal", value: null };
    if (!this.#sees("(")) return { kind: "name", name };
    this.#need("(");
    return { kind: "call", name, args: this.#items(")") };
  }

  #list(): Expression {
    if (/^\s*for\b/.test(this.#text.slice(this.#at))) throw this.#error("for expressions are not supported");
    return { kind: "list", items: this.#items("]") };
  }

  #items(end: string): readonly Expression[] {
    const items: Expression[] = [];
    while (!this.#sees(end)) {
      items.push(this.#expression());
      if (this.#sees("...")) throw this.#error("expanding a list into arguments is not supported");
      if (!this.#sees(end)) this.#need(",");
    }
    this.#need(end);
    return items;
  }

  #object(): Expression {
    if (/^\s*for\b/.test(this.#text.slice(this.#at))) throw this.#error("for expressions are not supported");
    const entries: (readonly [Expression, Expression])[] = [];
    while (!this.#sees("}")) {
      const given = this.#expression();
      const key: Expression = given.kind === "name" ? { kind: "literal", value: given.name } : given;
      this.#need(this.#sees(":") ? ":" : "=");
      entries.push([key, this.#expression()]);
      if (this.#sees(",")) this.#need(",");
    }
    this.#need("}");
    return { kind: "object", entries };
  }

  #escape(): string {
    const [all, hex] = /^\\u([0-9a-fA-F]{4})/.exec(this.#text.slice(this.#at)) ?? [];
    const next = this.#text[this.#at + 1] ?? "";
    const char = hex === undefined ? escapes[next] : String.fromCharCode(Number.parseInt(hex, 16));
    if (char === undefined) throw this.#error(`\\${next} is no escape`);
    this.#at += all?.length ?? 2;
    return char;
  }

  #space(): void {
    while (/\s/.test(this.#text[this.#at] ?? "")) this.#at++;
  }

  #sees(token: string): boolean {
    this.#space();
    // `!` must not take the beginning of `!=`.
    if (token === "!" && this.#text[this.#at + 1] === "=") return false;
    return this.#text.startsWith(token, this.#at);
  }

  #takes(token: string): boolean {
    if (!this.#text.startsWith(token, this.#at)) return false;
    this.#at += token.length;
    return true;
  }

  #need(token: string): void {
    this.#space();
    if (!this.#takes(token)) throw this.#error(`"${token}" is expected`);
  }

  #error(why: string): HclError {
    const around = this.#text.slice(Math.max(0, this.#at - 20), this.#at + 20);
    return new HclError(`${why} at ${JSON.stringify(around)}`);
  }
}
