import { FunctionError, TemplateExecError, TemplateLimitError } from "./errors.js";
import { lineOf } from "./lexer.js";
import type { Command, Node, Operand, Pipe, Template } from "./nodes.js";
import { noValue, print } from "./print.js";
import {
  type Functions,
  type GoFunction,
  GoList,
  GoMap,
  GoSequence,
  GoStruct,
  isTrue,
  type Parameter,
  textOf,
  typeName,
  type Value,
} from "./values.js";

export interface ExecuteOptions {
  readonly functions: Functions;
  /** Whether a key that a map has not is an error, and not an empty value. */
  readonly missingKeyIsError: boolean;
  readonly limits: RenderLimits;
}

/** What one rendering may use. */
export interface RenderLimits {
  /** Evaluations, calls and rounds of loops. */
  readonly steps: number;
  /** Bytes of the result, and of any string on the way to it. */
  readonly bytes: number;
}

/** Templates that call templates; each level takes several of our own stack. */
const maxDepth = 200;

type Control = Extract<Node, { readonly kind: "if" | "with" | "range" }>;
type Signal = "break" | "continue" | null;

interface Variable {
  readonly name: string;
  value: Value;
}

/**
 * Renders a template. Source of its meaning: the documentation of Go's text/template.
 *
 * @returns bytes, one a character.
 * @throws TemplateExecError that names the place; TemplateLimitError.
 */
export function execute(template: Template, options: ExecuteOptions): string {
  const evaluator = new Evaluator(template, options);
  try {
    return evaluator.run();
  } catch (error) {
    // Values may be nested deeper than our stack reaches.
    if (error instanceof RangeError) throw new TemplateLimitError("the template, or a value in it, is nested too deeply");
    throw error;
  }
}

class Evaluator {
  readonly #template: Template;
  readonly #options: ExecuteOptions;
  #output: string[] = [];
  #written = 0;
  #steps = 0;
  #depth = 0;
  #variables: Variable[] = [{ name: "$", value: null }];
  /** The template that is executed, by its name. */
  #executing = "";

  constructor(template: Template, options: ExecuteOptions) {
    this.#template = template;
    this.#options = options;
  }

  run(): string {
    this.#walkAll(null, this.#template.root);
    return this.#output.join("");
  }

  #walkAll(dot: Value, nodes: readonly Node[]): Signal {
    for (const node of nodes) {
      const signal = this.#walk(dot, node);
      if (signal) return signal;
    }
    return null;
  }

  #walk(dot: Value, node: Node): Signal {
    this.#step();
    switch (node.kind) {
      case "text":
        this.#write(node.text);
        return null;
      case "action": {
        const value = this.#pipe(dot, node.pipe);
        if (node.pipe.variables.length === 0) this.#at(node, () => this.#write(value === null ? noValue : print(value)));
        return null;
      }
      case "if":
      case "with":
        return this.#scoped(() => {
          const value = this.#pipe(dot, node.pipe);
          if (isTrue(value)) return this.#walkAll(node.kind === "with" ? value : dot, node.body);
          return this.#walkAll(dot, node.otherwise);
        });
      case "range":
        return this.#scoped(() => this.#range(dot, node));
      case "template":
        this.#call(dot, node);
        return null;
      default:
        return node.kind;
    }
  }

  #range(dot: Value, node: Control): Signal {
    const over = this.#pipe(dot, node.pipe, false);
    const { variables, assigns } = node.pipe;
    if (typeof over === "bigint" && variables.length > 1)
      throw this.#error(node, `can't use ${over} to iterate over more than one variable`);
    let isEmpty = true;
    for (const [key, value] of this.#elements(over, node)) {
      isEmpty = false;
      this.#step();
      const signal = this.#scoped(() => {
        const [first, second] = variables;
        const pairs: [string, Value][] = [];
        if (second !== undefined && first !== undefined) pairs.push([first, key], [second, value]);
        else if (first !== undefined) pairs.push([first, value]);
        for (const [name, of] of pairs) this.#set(name, of, assigns);
        return this.#walkAll(value, node.body);
      });
      if (signal === "break") break;
    }
    return isEmpty ? this.#walkAll(dot, node.otherwise) : null;
  }

  *#elements(over: Value, node: Node): Generator<readonly [key: Value, value: Value]> {
    if (over === null) return;
    if (over instanceof GoList) {
      for (const [i, item] of over.items.entries()) yield [BigInt(i), item];
    } else if (over instanceof GoMap) yield* over.sorted();
    else if (over instanceof GoSequence) for (let i = over.from; i < over.to; i++) yield [i - over.from, i];
    else if (typeof over === "bigint") for (let i = 0n; i < over; i++) yield [i, i];
    else throw this.#error(node, `range can't iterate over ${this.#at(node, () => print(over))}`);
  }

  #call(dot: Value, node: Node & { readonly kind: "template" }): void {
    const body = this.#template.defined.get(node.name);
    if (!body) throw this.#error(node, `template ${JSON.stringify(textOf(node.name))} not defined`);
    if (++this.#depth > maxDepth) throw new TemplateLimitError(`templates call each other more than ${maxDepth} levels deep`);
    const value = node.pipe === null ? null : this.#pipe(dot, node.pipe);
    const [variables, executing] = [this.#variables, this.#executing];
    this.#variables = [{ name: "$", value }];
    this.#executing = node.name;
    this.#walkAll(value, body);
    this.#variables = variables;
    this.#executing = executing;
    this.#depth--;
  }

  /** Variables that are declared in it are gone after it. */
  #scoped(work: () => Signal): Signal {
    const mark = this.#variables.length;
    const signal = work();
    this.#variables.length = mark;
    return signal;
  }

  #set(name: string, value: Value, assigns: boolean): void {
    const known = assigns ? this.#variables.findLast((variable) => variable.name === name) : undefined;
    if (known) known.value = value;
    else this.#variables.push({ name, value });
  }

  /** @param sets whether the variables of the pipeline get its value; those of a range get its elements. */
  #pipe(dot: Value, pipe: Pipe, sets = true): Value {
    let value: Value | undefined;
    for (const command of pipe.commands) value = this.#command(dot, command, value);
    if (sets) for (const name of pipe.variables) this.#set(name, value ?? null, pipe.assigns);
    return value ?? null;
  }

  /** @param final what the stage before in the pipeline gave; undefined for the first. */
  #command(dot: Value, command: Command, final: Value | undefined): Value {
    this.#step();
    const [first, ...args] = command.operands;
    if (!first) return null;
    switch (first.kind) {
      case "identifier":
        return this.#function(dot, first.name, command, args, final);
      case "field":
        return this.#fields(dot, dot, first.names, first, args, final);
      case "variable":
        if (first.names.length > 0) return this.#fields(dot, this.#variable(first.name), first.names, first, args, final);
        break;
      case "chain":
        return this.#fields(dot, this.#operand(dot, first.of), first.names, first, args, final);
      default:
    }
    if (args.length > 0 || final !== undefined) throw this.#error(first, `can't give argument to non-function ${textOf(first.source)}`);
    if (first.kind === "nil") throw this.#error(first, "nil is not a command");
    return this.#operand(dot, first);
  }

  #operand(dot: Value, operand: Operand): Value {
    switch (operand.kind) {
      case "dot":
        return dot;
      case "nil":
        return null;
      case "bool":
      case "number":
      case "string":
        return operand.value;
      case "pipe":
        return this.#pipe(dot, operand.pipe);
      case "identifier":
        return this.#function(dot, operand.name, operand, [], undefined);
      case "field":
        return this.#fields(dot, dot, operand.names, operand, [], undefined);
      case "variable":
        return this.#fields(dot, this.#variable(operand.name), operand.names, operand, [], undefined);
      case "chain":
        return this.#fields(dot, this.#operand(dot, operand.of), operand.names, operand, [], undefined);
    }
  }

  #variable(name: string): Value {
    return this.#variables.findLast((variable) => variable.name === name)?.value ?? null;
  }

  /** `.a.b`; arguments are the last one's. */
  #fields(dot: Value, of: Value, names: readonly string[], place: Operand, args: readonly Operand[], final: Value | undefined): Value {
    let value = of;
    let isFromMap = false;
    for (const [i, name] of names.entries()) {
      const isLast = i === names.length - 1;
      const before = value;
      if (before === null && isFromMap) throw this.#error(place, `nil pointer evaluating interface {}.${textOf(name)}`);
      const given = isLast ? this.#arguments(dot, args, final) : [];
      value = this.#field(before, name, place, given);
      isFromMap = before instanceof GoMap;
    }
    return value;
  }

  #field(of: Value, name: string, place: Operand, args: readonly Value[]): Value {
    this.#step();
    const method = of instanceof GoMap || of instanceof GoList || of instanceof GoStruct ? of.methods.get(name) : undefined;
    if (method) return this.#invoke(name, method, args, place);
    const isKnown = of instanceof GoStruct && of.fields.has(name);
    if (args.length > 0 && (of instanceof GoMap || isKnown)) throw this.#error(place, `${textOf(name)} is not a method but has arguments`);
    if (of instanceof GoStruct && isKnown) return of.fields.get(name) ?? null;
    if (of instanceof GoMap) {
      if (of.entries.has(name)) return of.entries.get(name) ?? null;
      if (this.#options.missingKeyIsError) throw this.#error(place, `map has no entry for key ${JSON.stringify(textOf(name))}`);
      return of.zero;
    }
    if (of !== null) throw this.#error(place, `can't evaluate field ${textOf(name)} in type ${typeName(of)}`);
    if (this.#options.missingKeyIsError) throw this.#error(place, `nil data; no entry for key ${JSON.stringify(textOf(name))}`);
    return null;
  }

  #function(dot: Value, name: string, place: Command | Operand, args: readonly Operand[], final: Value | undefined): Value {
    const found = this.#options.functions.get(name);
    if (!found) throw this.#error(place, `${JSON.stringify(textOf(name))} is not a defined function`);
    if (name === "and" || name === "or") return this.#shortCircuit(dot, name, place, args, final);
    return this.#invoke(name, found, this.#arguments(dot, args, final), place);
  }

  /** Evaluates no more than it takes to know the result. */
  #shortCircuit(dot: Value, name: "and" | "or", place: Command | Operand, args: readonly Operand[], final: Value | undefined): Value {
    let value: Value = final ?? null;
    if (args.length === 0 && final === undefined) throw this.#error(place, `wrong number of args for ${name}: want at least 1 got 0`);
    for (const arg of args) {
      value = this.#operand(dot, arg);
      if (isTrue(value) === (name === "or")) return value;
    }
    return final === undefined ? value : final;
  }

  #arguments(dot: Value, args: readonly Operand[], final: Value | undefined): readonly Value[] {
    const values = args.map((arg) => this.#operand(dot, arg));
    return final === undefined ? values : [...values, final];
  }

  #invoke(name: string, { parameters, variadic, call }: GoFunction, args: readonly Value[], place: Command | Operand): Value {
    this.#step();
    const isFew = args.length < parameters.length;
    if (isFew || (args.length > parameters.length && variadic === undefined)) {
      const want = variadic === undefined ? `${parameters.length}` : `at least ${parameters.length}`;
      throw this.#error(place, `wrong number of args for ${name}: want ${want} got ${args.length}`);
    }
    for (const [i, arg] of args.entries()) {
      const parameter = parameters[i] ?? variadic ?? "any";
      if (accepts(parameter, arg)) continue;
      const want = { any: "", string: "string", int: "int", list: "[]interface {}", strings: "[]string", map: "map[string]interface {}" }[
        parameter
      ];
      throw this.#error(
        place,
        arg === null ? `invalid value; expected ${want}` : `wrong type for value; expected ${want}; got ${typeName(arg)}`,
      );
    }
    const value = this.#at(place, () => call(args), `error calling ${textOf(name)}: `);
    if (typeof value === "string") this.#checkSize(value.length);
    return value;
  }

  #at<T>(place: Node | Command | Operand, work: () => T, prefix = ""): T {
    try {
      return work();
    } catch (error) {
      if (error instanceof FunctionError) throw this.#error(place, prefix + error.message);
      throw error;
    }
  }

  #write(text: string): void {
    this.#written += text.length;
    this.#checkSize(this.#written);
    this.#output.push(text);
  }

  #checkSize(bytes: number): void {
    const { limits } = this.#options;
    if (bytes > limits.bytes) throw new TemplateLimitError(`the template makes more than ${limits.bytes} bytes`);
  }

  #step(): void {
    const { limits } = this.#options;
    if (++this.#steps > limits.steps) throw new TemplateLimitError(`the template takes more than ${limits.steps} steps`);
  }

  #error({ at, source }: { readonly at: number; readonly source: string }, message: string): TemplateExecError {
    const { source: whole } = this.#template;
    const column = at - (whole.lastIndexOf("\n", at - 1) + 1);
    const name = JSON.stringify(textOf(this.#executing));
    const text = textOf(source);
    const context = text.length > 20 ? `${text.slice(0, 20)}...` : text;
    return new TemplateExecError(`template: :${lineOf(whole, at)}:${column}: executing ${name} at <${context}>: ${message}`);
  }
}

function accepts(parameter: Parameter, value: Value): boolean {
  switch (parameter) {
    case "any":
      return true;
    case "string":
      return typeof value === "string";
    case "int":
      return typeof value === "bigint";
    case "list":
      return value instanceof GoList;
    case "strings":
      return value instanceof GoList && value.elements === "string";
    case "map":
      return value instanceof GoMap;
  }
}
