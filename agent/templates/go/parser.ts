import { TemplateSyntaxError } from "./errors.js";
import { type Delimiters, lex, lineOf, type Token, type TokenKind } from "./lexer.js";
import { characterCode, numberOf, unquote } from "./literals.js";
import type { Command, Node, Operand, Pipe, Template } from "./nodes.js";
import { TokenCursor } from "./token-cursor.js";
import { textOf } from "./values.js";

export interface ParseOptions {
  readonly delimiters: Delimiters;
  /** Why a function can not be called; null when it can. */
  readonly refusal: (name: string) => string | null;
}

/** Far above what people write, and below what our own recursion bears. */
const maxNesting = 200;

/**
 * Reads a template.
 *
 * @param source bytes, one a character.
 * @throws TemplateSyntaxError that names the line and the construct.
 */
export function parse(source: string, options: ParseOptions): Template {
  return new Parser(source, options).run();
}

type Keyword = "block" | "break" | "continue" | "define" | "else" | "end" | "if" | "nil" | "range" | "template" | "with";

interface Body {
  readonly nodes: readonly Node[];
  /** What ended it: `end`, or `else` with what follows that. */
  readonly stop: "end" | "else" | "eof";
}

class Parser {
  readonly #source: string;
  readonly #options: ParseOptions;
  readonly #tokens: TokenCursor;
  readonly #defined = new Map<string, readonly Node[]>();
  #variables: string[] = ["$"];
  #rangeDepth = 0;
  #nesting = 0;

  constructor(source: string, options: ParseOptions) {
    this.#source = source;
    this.#options = options;
    this.#tokens = new TokenCursor(lex(source, options.delimiters));
  }

  run(): Template {
    const { nodes, stop } = this.#body("top");
    if (stop !== "eof") throw this.#error(`unexpected {{${stop}}}`);
    return { root: nodes, defined: this.#defined, source: this.#source };
  }

  /** Nodes up to the `end`, `else` or end of file that closes them. */
  #body(context: "top" | "inner"): Body {
    const nodes: Node[] = [];
    for (;;) {
      const token = this.#tokens.take();
      if (token.kind === "end") {
        if (context === "inner") throw this.#error("unexpected EOF");
        return { nodes, stop: "eof" };
      }
      if (token.kind === "text") {
        nodes.push({ kind: "text", at: token.at, source: token.text, text: token.text });
        continue;
      }
      const keyword = this.#keyword();
      if (keyword === "end") {
        this.#expect("right", "end");
        return { nodes, stop: "end" };
      }
      if (keyword === "else") return { nodes, stop: "else" };
      const node = this.#action(keyword, context);
      if (node) nodes.push(node);
    }
  }

  /** The keyword that an action begins with, taken. */
  #keyword(): Keyword | undefined {
    const token = this.#tokens.peekSolid();
    if (token.kind !== "keyword" || token.text === "nil") return undefined;
    this.#tokens.takeSolid();
    return token.text as Keyword;
  }

  #action(keyword: Keyword | undefined, context: "top" | "inner"): Node | null {
    const { at } = this.#tokens.last;
    switch (keyword) {
      case "if":
      case "with":
      case "range":
        return this.#control(keyword, at);
      case "break":
      case "continue":
        if (this.#rangeDepth === 0) throw this.#error(`{{${keyword}}} outside {{range}}`);
        this.#expect("right", keyword);
        return { kind: keyword, at, source: keyword };
      case "define":
        if (context !== "top") throw this.#error("unexpected {{define}}");
        this.#define();
        return null;
      case "template":
        return this.#template(at);
      case "block":
        return this.#block(at);
      default: {
        const pipe = this.#pipeline("command", "right");
        return { kind: "action", at: pipe.at, source: pipe.source, pipe };
      }
    }
  }

  #control(kind: "if" | "with" | "range", at: number): Node {
    const outer = this.#variables;
    this.#variables = [...outer];
    if (++this.#nesting > maxNesting) throw this.#error(`nested more than ${maxNesting} levels deep`);
    const pipe = this.#pipeline(kind, "right");
    if (kind === "range") this.#rangeDepth++;
    const body = this.#body("inner");
    if (kind === "range") this.#rangeDepth--;
    let otherwise: readonly Node[] = [];
    if (body.stop === "else") otherwise = this.#otherwise(kind);
    this.#variables = outer;
    this.#nesting--;
    return { kind, at, source: pipe.source, pipe, body: body.nodes, otherwise };
  }

  /** What follows `else`: an `if` or `with` of the same kind shares its `end`. */
  #otherwise(kind: "if" | "with" | "range"): readonly Node[] {
    const token = this.#tokens.peekSolid();
    if (token.kind === "keyword" && token.text === kind && kind !== "range") {
      this.#tokens.takeSolid();
      return [this.#control(kind, token.at)];
    }
    this.#expect("right", "else");
    const { nodes, stop } = this.#body("inner");
    if (stop !== "end") throw this.#error(`expected end; found {{${stop}}}`);
    return nodes;
  }

  #define(): void {
    const name = this.#templateName("define clause");
    this.#expect("right", "define clause");
    this.#put(name, this.#apart("define clause"));
  }

  #block(at: number): Node {
    const name = this.#templateName("block clause");
    const pipe = this.#pipeline("block clause", "right");
    this.#put(name, this.#apart("block clause"));
    return { kind: "template", at, source: name, name, pipe };
  }

  /** The body of a template of its own: variables and loops outside of it are unknown in it. */
  #apart(what: string): readonly Node[] {
    const [variables, rangeDepth] = [this.#variables, this.#rangeDepth];
    this.#variables = ["$"];
    this.#rangeDepth = 0;
    const { nodes, stop } = this.#body("inner");
    if (stop !== "end") throw this.#error(`unexpected {{${stop}}} in ${what}`);
    this.#variables = variables;
    this.#rangeDepth = rangeDepth;
    return nodes;
  }

  /** An empty template takes no other one's place. */
  #put(name: string, nodes: readonly Node[]): void {
    const isEmpty = nodes.every((node) => node.kind === "text" && node.text.trim() === "");
    const known = this.#defined.get(name);
    if (known && isEmpty) return;
    if (known?.some((node) => node.kind !== "text" || node.text.trim() !== "")) {
      throw this.#error(`template: multiple definition of template ${JSON.stringify(textOf(name))}`);
    }
    this.#defined.set(name, nodes);
  }

  #template(at: number): Node {
    const name = this.#templateName("template clause");
    if (this.#tokens.peekSolid().kind === "right") {
      this.#tokens.takeSolid();
      return { kind: "template", at, source: name, name, pipe: null };
    }
    return { kind: "template", at, source: name, name, pipe: this.#pipeline("template clause", "right") };
  }

  #templateName(context: string): string {
    const token = this.#tokens.takeSolid();
    const name = token.kind === "string" ? unquote(token.text) : undefined;
    if (name === undefined) throw this.#unexpected(token, context);
    return name;
  }

  #pipeline(context: string, end: "right" | ")"): Pipe {
    const first = this.#tokens.peekSolid();
    const { variables, assigns } = this.#declaration(context);
    const commands: Command[] = [];
    for (;;) {
      const token = this.#tokens.peekSolid();
      if (token.kind === end) {
        if (commands.length === 0) throw this.#error(`missing value for ${context}`);
        checkStages(commands, (message) => this.#error(message));
        const source = this.#source.slice(first.at, token.at).trim();
        this.#tokens.takeSolid();
        return { at: first.at, source, variables, assigns, commands };
      }
      if (!startsOperand(token)) throw this.#unexpected(token, context);
      commands.push(this.#command());
    }
  }

  /** `$x :=`, `$x =`, or for a range `$i, $e :=`; the variables are known from here on. */
  #declaration(context: string): { readonly variables: readonly string[]; readonly assigns: boolean } {
    const start = this.#tokens.mark;
    const names: string[] = [];
    for (;;) {
      const variable = this.#tokens.takeSolid();
      const sign = variable.kind === "variable" ? this.#tokens.peekSolid() : undefined;
      if (sign?.kind === "declare" || sign?.kind === "assign") {
        this.#tokens.takeSolid();
        names.push(variable.text);
        const assigns = sign.kind === "assign";
        if (assigns) for (const name of names) this.#needVariable(name);
        else this.#variables.push(...names);
        return { variables: names, assigns };
      }
      const isPair = context === "range" && names.length === 0 && sign?.kind === "char" && sign.text === ",";
      if (isPair && this.#isVariableAhead()) {
        this.#tokens.takeSolid();
        names.push(variable.text);
        continue;
      }
      if (sign?.kind === "char" && sign.text === ",") throw this.#error(`too many declarations in ${context}`);
      this.#tokens.mark = start;
      return { variables: [], assigns: false };
    }
  }

  #isVariableAhead(): boolean {
    const here = this.#tokens.mark;
    this.#tokens.takeSolid();
    const isVariable = this.#tokens.peekSolid().kind === "variable";
    this.#tokens.mark = here;
    return isVariable;
  }

  #command(): Command {
    const operands: Operand[] = [];
    const { at } = this.#tokens.peekSolid();
    let end = at;
    for (;;) {
      this.#tokens.peekSolid();
      const operand = this.#operand();
      if (operand) operands.push(operand);
      end = this.#tokens.end;
      const token = this.#tokens.take();
      if (token.kind === "space") continue;
      if (token.kind === "right" || token.kind === ")") this.#tokens.back();
      else if (token.kind !== "pipe") throw this.#unexpected(token, "operand");
      break;
    }
    if (operands.length === 0) throw this.#error("empty command");
    return { at, source: this.#source.slice(at, end).trim(), operands };
  }

  #operand(): Operand | null {
    const term = this.#term();
    if (!term) return null;
    const names: string[] = [];
    while (this.#tokens.peek().kind === "field") names.push(this.#tokens.take().text.slice(1));
    if (names.length === 0) return term;
    const source = this.#source.slice(term.at, this.#tokens.end);
    switch (term.kind) {
      case "field":
        return { ...term, source, names: [...term.names, ...names] };
      case "variable":
        return { ...term, source, names };
      case "bool":
      case "string":
      case "number":
      case "nil":
      case "dot":
        throw this.#error(`unexpected . after term ${JSON.stringify(textOf(term.source))}`);
      default:
        return { kind: "chain", at: term.at, source, of: term, names };
    }
  }

  #term(): Operand | null {
    const token = this.#tokens.peekSolid();
    const { at, text } = token;
    const place = { at, source: text };
    switch (token.kind) {
      case "identifier": {
        this.#tokens.takeSolid();
        const refusal = this.#options.refusal(text);
        if (refusal !== null) throw this.#error(refusal);
        return { kind: "identifier", ...place, name: text };
      }
      case "dot":
        this.#tokens.takeSolid();
        return { kind: "dot", ...place };
      case "keyword":
        if (text !== "nil") return null;
        this.#tokens.takeSolid();
        return { kind: "nil", ...place };
      case "variable":
        this.#tokens.takeSolid();
        this.#needVariable(text);
        return { kind: "variable", ...place, name: text, names: [] };
      case "field":
        this.#tokens.takeSolid();
        return { kind: "field", ...place, names: [text.slice(1)] };
      case "bool":
        this.#tokens.takeSolid();
        return { kind: "bool", ...place, value: text === "true" };
      case "number":
        this.#tokens.takeSolid();
        return { kind: "number", ...place, value: this.#number(text) };
      case "character":
        this.#tokens.takeSolid();
        return { kind: "number", ...place, value: characterCode(text) ?? this.#fail(`malformed character constant: ${textOf(text)}`) };
      case "string":
        this.#tokens.takeSolid();
        return { kind: "string", ...place, value: unquote(text) ?? "" };
      case "(": {
        this.#tokens.takeSolid();
        if (++this.#nesting > maxNesting) throw this.#error(`nested more than ${maxNesting} levels deep`);
        const pipe = this.#pipeline("parenthesized pipeline", ")");
        this.#nesting--;
        return { kind: "pipe", at, source: this.#source.slice(at, this.#tokens.end), pipe };
      }
      default:
        return null;
    }
  }

  #number(text: string): bigint | number {
    const value = numberOf(text);
    if (value === undefined) throw this.#error(`illegal number syntax: ${JSON.stringify(text)}`);
    if (value === "overflow") throw this.#error(`integer overflow: ${JSON.stringify(text)}`);
    if (value === "complex") throw this.#error(`complex numbers are not supported: ${JSON.stringify(text)}`);
    return value;
  }

  #needVariable(name: string): void {
    if (!this.#variables.includes(name)) throw this.#error(`undefined variable ${JSON.stringify(textOf(name))}`);
  }

  #expect(kind: TokenKind, context: string): void {
    const token = this.#tokens.takeSolid();
    if (token.kind !== kind) throw this.#unexpected(token, context);
  }

  #unexpected(token: Token, context: string): TemplateSyntaxError {
    const what = { end: "EOF", right: "{{end of action}}" }[token.kind as "end" | "right"] ?? JSON.stringify(textOf(token.text));
    return this.#error(`unexpected ${what} in ${context}`);
  }

  #fail(message: string): never {
    throw this.#error(message);
  }

  #error(message: string): TemplateSyntaxError {
    return new TemplateSyntaxError(`template: :${lineOf(this.#source, this.#tokens.last.at)}: ${message}`);
  }
}

const starters: readonly TokenKind[] = ["bool", "character", "dot", "field", "identifier", "number", "string", "variable", "("];

const startsOperand = ({ kind, text }: Token): boolean => starters.includes(kind) || (kind === "keyword" && text === "nil");

/** What a pipe leads into has to take an argument. */
function checkStages(commands: readonly Command[], error: (message: string) => Error): void {
  const at = commands.findIndex(({ operands }, i) => i > 0 && ["bool", "dot", "nil", "number", "string"].includes(operands[0]?.kind ?? ""));
  if (at > 0) throw error(`non executable command in pipeline stage ${at + 1}`);
}
