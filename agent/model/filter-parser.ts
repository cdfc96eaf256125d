import { syntaxError, type Token, tokens } from "./filter-lexer.js";

export type Selector = readonly string[];

export type Comparison = "==" | "!=" | "<" | "<=" | ">" | ">=" | "in" | "contains" | "matches" | "empty";

export type Expression =
  | { readonly kind: "and" | "or"; readonly left: Expression; readonly right: Expression }
  | { readonly kind: "not"; readonly of: Expression }
  | { readonly kind: "match"; readonly selector: Selector; readonly comparison: Comparison; readonly value: string }
  | { readonly kind: "any" | "all"; readonly selector: Selector; readonly names: readonly string[]; readonly of: Expression };

const maxDepth = 64;

/**
 * go-bexpr's grammar: `or` binds weaker than `and`, `and` weaker than `not`.
 *
 * @throws FilterError with the place of the mistake.
 */
export function parseFilter(expression: string): Expression {
  return new Parser(expression).parse();
}

class Parser {
  readonly #expression: string;
  readonly #tokens: readonly Token[];
  #next = 0;
  #depth = 0;

  constructor(expression: string) {
    this.#expression = expression;
    this.#tokens = tokens(expression);
  }

  parse(): Expression {
    const parsed = this.#or();
    if (this.#peek()) this.#fail('"and", "or" or the end');
    return parsed;
  }

  #or(): Expression {
    let left = this.#and();
    while (this.#take("or")) left = { kind: "or", left, right: this.#and() };
    return left;
  }

  #and(): Expression {
    let left = this.#not();
    while (this.#take("and")) left = { kind: "and", left, right: this.#not() };
    return left;
  }

  #not(): Expression {
    if (++this.#depth > maxDepth) this.#fail(`at most ${maxDepth} levels`);
    try {
      if (this.#take("not")) return { kind: "not", of: this.#not() };
      if (this.#take("(")) {
        const inner = this.#or();
        this.#need(")");
        return inner;
      }
      const quantifier = this.#quantifier();
      return quantifier ?? this.#match();
    } finally {
      this.#depth--;
    }
  }

  /** `any Tags as tag { tag == "x" }`, `all Meta as key, value { … }` */
  #quantifier(): Expression | undefined {
    const first = this.#peek();
    const second = this.#tokens[this.#next + 1];
    if (first?.kind !== "word" || (first.text !== "any" && first.text !== "all") || second === undefined || isOperator(second))
      return undefined;
    this.#next++;
    const selector = this.#selector();
    this.#need("as");
    const names = [this.#word("a name")];
    if (this.#take(",")) names.push(this.#word("a name"));
    this.#need("{");
    const of = this.#or();
    this.#need("}");
    return { kind: first.text, selector, names, of };
  }

  #match(): Expression {
    const start = this.#next;
    const first = this.#peek();
    // `"value" in Selector` and `"value" not in Selector` have the value in front.
    const after = this.#tokens[this.#next + 1];
    if (first && (after?.text === "in" || after?.text === "not") && !this.#isSelectorFirst(first, after)) {
      this.#next++;
      const negated = this.#take("not");
      this.#need("in");
      return negate({ kind: "match", selector: this.#selector(), comparison: "in", value: first.text }, negated);
    }
    this.#next = start;
    const selector = this.#selector();
    return this.#operator(selector);
  }

  #isSelectorFirst(first: Token, after: Token): boolean {
    if (first.kind === "string" && !first.text.startsWith("/")) return false;
    return after.text === "not" && this.#tokens[this.#next + 2]?.text !== "in";
  }

  #operator(selector: Selector): Expression {
    const operator = this.#peek();
    if (operator?.kind === "sign" && ["==", "!=", "<", "<=", ">", ">="].includes(operator.text)) {
      this.#next++;
      return { kind: "match", selector, comparison: operator.text as Comparison, value: this.#value() };
    }
    if (this.#take("is")) {
      const negated = this.#take("not");
      this.#need("empty");
      return negate({ kind: "match", selector, comparison: "empty", value: "" }, negated);
    }
    const negated = this.#take("not");
    for (const comparison of ["contains", "matches"] as const) {
      if (this.#take(comparison)) return negate({ kind: "match", selector, comparison, value: this.#value() }, negated);
    }
    return this.#fail('"==", "!=", "<", "<=", ">", ">=", "is", "in", "not", "contains" or "matches"');
  }

  /** `Job.Meta["a-b"].C`, or a JSON pointer in quotes: "/Job/Meta/a-b". */
  #selector(): Selector {
    const first = this.#peek();
    if (first?.kind === "string" && first.text.startsWith("/")) {
      this.#next++;
      return first.text
        .slice(1)
        .split("/")
        .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
    }
    const path = [this.#word("a selector")];
    for (;;) {
      if (this.#take(".")) path.push(this.#word("a member"));
      else if (this.#take("[")) {
        path.push(this.#value());
        this.#need("]");
      } else return path;
    }
  }

  #value(): string {
    const token = this.#peek();
    if (!token || token.kind === "sign") return this.#fail("a value");
    this.#next++;
    if (token.kind === "string") return token.text;
    // go-bexpr takes a selector where a value belongs for its own text.
    let text = token.text;
    while (this.#take(".")) text += `.${this.#word("a member")}`;
    return text;
  }

  #word(expected: string): string {
    const token = this.#peek();
    if (token?.kind !== "word") return this.#fail(expected);
    this.#next++;
    return token.text;
  }

  #peek(): Token | undefined {
    return this.#tokens[this.#next];
  }

  #take(text: string): boolean {
    const token = this.#peek();
    if (token?.kind === "string" || token?.text !== text) return false;
    this.#next++;
    return true;
  }

  #need(text: string): void {
    if (!this.#take(text)) this.#fail(JSON.stringify(text));
  }

  #fail(expected: string): never {
    throw syntaxError(this.#expression, this.#peek()?.at ?? this.#expression.length, expected);
  }
}

const operators = new Set(["==", "!=", "<", "<=", ">", ">=", "is", "in", "not", "contains", "matches", "."]);
const isOperator = (token: Token): boolean => token.kind !== "string" && operators.has(token.text);

const negate = (of: Expression, negated: boolean): Expression => (negated ? { kind: "not", of } : of);
