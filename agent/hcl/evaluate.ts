import { type Expression, HclError, type Interpolation, parseTemplate } from "./expression.js";
import { call, isList, isMembers, type Members, numberOf, textOf, type Value } from "./functions.js";

/** What names stand for. Any other name is known only when the task runs, and stays as it is written. */
export interface Scope {
  /** @throws HclError for a variable that there is not. */
  readonly var: (name: string) => Value;
  readonly local: (name: string) => Value;
}

const maxElements = 100_000;

/** Works out all expressions in what a parser made of HCL, where they are texts with `${...}`. */
export class Evaluator {
  readonly #scope: Scope;
  #elements = 0;

  constructor(scope: Scope) {
    this.#scope = scope;
  }

  /**
   * @param path how errors name the value.
   * @throws HclError for the first thing that can not be worked out.
   */
  value(tree: Value, path: string): Value {
    if (++this.#elements > maxElements) throw new HclError(`the specification comes to more than ${maxElements} values`);
    if (typeof tree === "string") return at(path, () => this.#text(tree));
    if (isList(tree)) return tree.map((item, i) => this.value(item, `${path}[${i}]`));
    if (!isMembers(tree)) return tree;
    const entries = Object.entries(tree).map(([key, member]) => {
      const name = key.includes("${") ? at(path, () => textOf(this.#text(key), "a key")) : key;
      return [name, this.value(member, path === "" ? key : `${path}.${key}`)] as const;
    });
    return Object.fromEntries(entries);
  }

  #text(text: string): Value {
    if (!text.includes("${") && !text.includes("%{")) return text;
    const parts = parseTemplate(text);
    const [only] = parts;
    if (parts.length === 1 && only !== undefined && typeof only !== "string") return this.#interpolated(only);
    return this.#joined(parts);
  }

  #joined(parts: readonly (string | Interpolation)[]): string {
    return parts.map((part) => (typeof part === "string" ? part : textOf(this.#interpolated(part), part.source))).join("");
  }

  #interpolated({ expression, source }: Interpolation): Value {
    const root = rootOf(expression);
    return root !== undefined && !isOurs(root) ? `\${${source}}` : this.#work(expression);
  }

  #work(expression: Expression): Value {
    switch (expression.kind) {
      case "literal":
        return expression.value;
      case "template":
        return this.#joined(expression.parts);
      case "name":
        throw new HclError(`${expression.name} is not known before the task runs, and can only stand alone in \${${expression.name}}`);
      case "get":
        return this.#get(expression.of, expression.key);
      case "call":
        return call(
          expression.name,
          expression.args.map((arg) => this.#work(arg)),
        );
      case "unary": {
        const of = this.#work(expression.of);
        return expression.operator === "!" ? !truth(of) : -numberOf(of, "-");
      }
      case "binary":
        return this.#binary(expression.operator, expression.left, expression.right);
      case "if":
        return truth(this.#work(expression.test)) ? this.#work(expression.yes) : this.#work(expression.no);
      case "list":
        return expression.items.map((item) => this.#work(item));
      case "object":
        return Object.fromEntries(expression.entries.map(([key, value]) => [textOf(this.#work(key), "a key"), this.#work(value)]));
    }
  }

  #get(of: Expression, key: Expression): Value {
    const name = this.#work(key);
    if (of.kind === "name" && isOurs(of.name)) return this.#scope[of.name](textOf(name, of.name));
    const value = this.#work(of);
    const found = isList(value) ? value[numberOf(name, "an index")] : isMembers(value) ? own(value, textOf(name, "a key")) : undefined;
    if (found === undefined) throw new HclError(`there is no ${JSON.stringify(name)} in ${JSON.stringify(value)}`);
    return found;
  }

  #binary(operator: string, leftSide: Expression, rightSide: Expression): Value {
    const left = this.#work(leftSide);
    if (operator === "&&") return truth(left) && truth(this.#work(rightSide));
    if (operator === "||") return truth(left) || truth(this.#work(rightSide));
    const right = this.#work(rightSide);
    if (operator === "==" || operator === "!=") return (JSON.stringify(left) === JSON.stringify(right)) === (operator === "==");
    const [a, b] = [numberOf(left, operator), numberOf(right, operator)];
    switch (operator) {
      case "+":
        return a + b;
      case "-":
        return a - b;
      case "*":
        return a * b;
      case "<":
        return a < b;
      case ">":
        return a > b;
      case "<=":
        return a <= b;
      case ">=":
        return a >= b;
      default:
        if (b === 0) throw new HclError("division by zero");
        return operator === "/" ? a / b : a % b;
    }
  }
}

const isOurs = (name: string): name is keyof Scope => name === "var" || name === "local";

/** The first name of a plain reference such as `attr.kernel.name`; undefined for any other expression. */
function rootOf(expression: Expression): string | undefined {
  if (expression.kind === "name") return expression.name;
  return expression.kind === "get" ? rootOf(expression.of) : undefined;
}

const own = (members: Members, key: string): Value | undefined => (Object.hasOwn(members, key) ? members[key] : undefined);

function truth(value: Value): boolean {
  if (value === true || value === "true") return true;
  if (value === false || value === "false") return false;
  throw new HclError(`want true or false, got ${JSON.stringify(value)}`);
}

function at<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof HclError) || path === "") throw error;
    throw new HclError(`${path}: ${error.message}`, { cause: error });
  }
}
