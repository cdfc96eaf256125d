import { FunctionError } from "../go/errors.js";
import { type GoFunction, GoList, type Parameter, type Value } from "../go/values.js";

/** Values that a function was given, already of the kinds that it takes. */
type Of<P extends Parameter> = P extends "string" ? string : P extends "int" ? bigint : P extends "list" | "strings" ? GoList : Value;
type Given<P extends readonly Parameter[]> = { readonly [I in keyof P]: Of<P[I]> };

/** A function of fixed arguments. */
export const define = <const P extends readonly Parameter[]>(parameters: P, call: (...args: Given<P>) => Value): GoFunction => ({
  parameters,
  call: (args) => call(...(args as Given<P>)),
});

/** A function that takes any number of arguments of one kind. */
export const defineVariadic = <const P extends Parameter>(variadic: P, call: (args: readonly Of<P>[]) => Value): GoFunction => ({
  parameters: [],
  variadic,
  call: (args) => call(args as readonly Of<P>[]),
});

/**
 * The text that bytes are, for functions that look at characters.
 *
 * @throws FunctionError when they are no UTF-8: a replacement would be a silent change.
 */
export function needText(name: string, bytes: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Buffer.from(bytes, "latin1"));
  } catch {
    throw new FunctionError(`${name}: got bytes that are no UTF-8`);
  }
}

export const strings = (items: readonly string[]): GoList => new GoList(items, "string");
