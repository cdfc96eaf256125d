import type { Token } from "./lexer.js";

/** A place in the tokens of a template. */
export class TokenCursor {
  readonly #tokens: readonly Token[];
  /** Of the next token; may be set back to what it was. */
  mark = 0;

  /** @param tokens the last of which is the end. */
  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  peek(): Token {
    return this.#tokens[this.mark] ?? this.last;
  }

  take(): Token {
    const token = this.peek();
    this.mark++;
    return token;
  }

  /** The next that is no space; spaces before it are gone. */
  peekSolid(): Token {
    while (this.peek().kind === "space") this.mark++;
    return this.peek();
  }

  takeSolid(): Token {
    this.peekSolid();
    return this.take();
  }

  back(): void {
    this.mark--;
  }

  /** The one that was taken last, or the first. */
  get last(): Token {
    return this.#tokens[Math.max(0, Math.min(this.mark, this.#tokens.length) - 1)] as Token;
  }

  /** Where that ends. */
  get end(): number {
    const { at, text } = this.last;
    return at + text.length;
  }
}
