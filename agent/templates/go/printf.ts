import { FunctionError } from "./errors.js";
import { formatE, formatF, formatG } from "./floats.js";
import { isRune } from "./literals.js";
import { print } from "./print.js";
import { canBackquote, quote, quoteCharacter } from "./quote.js";
import { bytesOf, GoList, GoMap, GoStruct, textOf, typeName, type Value } from "./values.js";

interface Spec {
  readonly plus: boolean;
  readonly minus: boolean;
  readonly sharp: boolean;
  readonly blank: boolean;
  readonly zero: boolean;
  readonly width: number | undefined;
  readonly precision: number | undefined;
  readonly verb: string;
}

/** A wider field is nothing that a file of a task needs. */
const maxWidth = 10_000;

/** Flags, width, precision, verb; each number may be taken from an argument. */
const directive = /%([+\-# 0]*)(?:(\[\d+\])?(\*)|(\d+))?(?:(\.)(?:(\[\d+\])?(\*)|(\d+))?)?(\[\d+\])?([\s\S]?)/g;

/**
 * Go's `printf`, byte by byte, with what it writes for arguments that are missing, superfluous or of a wrong type.
 *
 * @throws FunctionError for verbs whose output depends on addresses or on Go's types.
 */
export function printf(format: string, args: readonly Value[]): string {
  return new Printer(args).format(format);
}

class Printer {
  readonly #args: readonly Value[];
  #next = 0;
  #reordered = false;

  constructor(args: readonly Value[]) {
    this.#args = args;
  }

  format(format: string): string {
    const text = format.replace(
      directive,
      (_all, flags: string, widthIndex?: string, widthStar?: string, width?: string, point?: string, ...rest: unknown[]) => {
        const [precisionIndex, precisionStar, precision, index, verbByte] = rest as (string | undefined)[];
        const star = (of: string | undefined): number | undefined => {
          if (of !== undefined) this.#jump(of);
          return this.#number();
        };
        let minus = flags.includes("-");
        let wide = widthStar ? star(widthIndex) : width === undefined ? undefined : Number(width);
        if (wide !== undefined && wide < 0) {
          minus = true;
          wide = -wide;
        }
        const fine = precisionStar ? star(precisionIndex) : point === undefined ? undefined : Number(precision ?? 0);
        if ((wide ?? 0) > maxWidth || (fine ?? 0) > maxWidth)
          throw new FunctionError(`printf: want a width and precision of at most ${maxWidth}`);
        if (index !== undefined) this.#jump(index);
        const verb = verbByte ?? "";
        if (verb === "") return "%!(NOVERB)";
        if (verb === "%") return "%";
        if (this.#next >= this.#args.length || this.#next < 0) return this.#next < 0 ? `%!${verb}(BADINDEX)` : `%!${verb}(MISSING)`;
        const value = this.#args[this.#next++] ?? null;
        return write(value, {
          // To `%v` a plus says that structures are to name their fields.
          plus: flags.includes("+") && (verb !== "v" || hasStruct(value)),
          minus,
          sharp: flags.includes("#"),
          blank: flags.includes(" "),
          zero: flags.includes("0") && !minus,
          width: wide,
          precision: fine !== undefined && fine < 0 ? undefined : fine,
          verb,
        });
      },
    );
    const left = this.#reordered ? [] : this.#args.slice(this.#next);
    if (left.length === 0) return text;
    return `${text}%!(EXTRA ${left.map((value) => (value === null ? "<nil>" : `${typeName(value)}=${print(value)}`)).join(", ")})`;
  }

  #jump(index: string): void {
    this.#reordered = true;
    const wanted = Number(index.slice(1, -1)) - 1;
    this.#next = wanted >= 0 && wanted < this.#args.length ? wanted : -1;
  }

  #number(): number {
    const value = this.#args[this.#next++] ?? null;
    if (typeof value !== "bigint") throw new FunctionError(`printf: got ${typeName(value)} for *, want a whole number`);
    return Number(value);
  }
}

function write(value: Value, spec: Spec): string {
  if (spec.verb === "T" || spec.verb === "p") throw new FunctionError(`printf: %${spec.verb} is not supported`);
  if (spec.verb === "v" && spec.sharp) throw new FunctionError("printf: %#v is not supported");
  if (spec.verb === "v" && spec.plus && hasStruct(value)) throw new FunctionError(`printf: %+v of ${typeName(value)} is not supported`);
  if (value instanceof GoStruct && value.text !== null && "vsqxX".includes(spec.verb)) return write(value.text, spec);
  if (value instanceof GoList) return `[${value.items.map((item) => writeInner(item, spec)).join(" ")}]`;
  if (value instanceof GoMap) {
    return `map[${value
      .sorted()
      .map(([key, item]) => `${write(key, spec)}:${writeInner(item, spec)}`)
      .join(" ")}]`;
  }
  if (value instanceof GoStruct) return `{${[...value.fields.values()].map((item) => writeInner(item, spec)).join(" ")}}`;
  if (value === null && spec.verb === "v") return padText("<nil>", spec);
  if (typeof value === "string") return writeText(value, spec);
  if (typeof value === "bigint") return writeInteger(value, spec);
  if (typeof value === "number") return writeFloat(value, spec);
  if (typeof value === "boolean" && "tv".includes(spec.verb)) return padText(String(value), spec);
  return wrongVerb(value, spec);
}

const hasStruct = (value: Value): boolean =>
  (value instanceof GoStruct && value.text === null) ||
  (value instanceof GoList && value.items.some(hasStruct)) ||
  (value instanceof GoMap && [...value.entries.values()].some(hasStruct));

const wrongVerb = (value: Value, spec: Spec): string =>
  value === null ? `%!${spec.verb}(<nil>)` : `%!${spec.verb}(${typeName(value)}=${write(value, { ...spec, verb: "v" })})`;

/** An element of a list or map. */
const writeInner = (value: Value, spec: Spec): string => (value === null ? "<nil>" : write(value, spec));

/** Widths count characters, not bytes. */
function padText(text: string, { width = 0, minus, zero }: Spec): string {
  const missing = Math.max(0, width - [...textOf(text)].length);
  if (minus) return text + " ".repeat(missing);
  return (zero ? "0" : " ").repeat(missing) + text;
}

function writeText(text: string, spec: Spec): string {
  const cut =
    spec.precision === undefined || !"vsq".includes(spec.verb) ? text : bytesOf([...textOf(text)].slice(0, spec.precision).join(""));
  switch (spec.verb) {
    case "v":
    case "s":
      return padText(cut, spec);
    case "q":
      return padText(spec.sharp && canBackquote(cut) ? `\`${cut}\`` : quote(cut, spec.plus), spec);
    case "x":
    case "X": {
      const bytes = [...text].slice(0, spec.precision).map((byte) => byte.charCodeAt(0).toString(16).padStart(2, "0"));
      const prefix = spec.sharp && bytes.length > 0 ? "0x" : "";
      const joined = prefix + bytes.join(spec.blank ? ` ${prefix}` : "");
      return padText(spec.verb === "X" ? joined.toUpperCase() : joined, spec);
    }
    default:
      return wrongVerb(text, spec);
  }
}

const bases: Readonly<Record<string, number>> = { v: 10, d: 10, b: 2, o: 8, O: 8, x: 16, X: 16 };

function writeInteger(value: bigint, spec: Spec): string {
  const base = bases[spec.verb];
  if (base !== undefined) return writeDigits(value, base, spec);
  const code = Number(value);
  const char = isRune(code) ? code : 0xfffd;
  switch (spec.verb) {
    case "c":
      return padText(bytesOf(String.fromCodePoint(char)), spec);
    case "q":
      return padText(quoteCharacter(char, spec.plus), spec);
    case "U": {
      const text = `U+${BigInt.asUintN(64, value)
        .toString(16)
        .toUpperCase()
        .padStart(Math.max(4, spec.precision ?? 0), "0")}`;
      return padText(spec.sharp && isRune(code) ? `${text} '${bytesOf(String.fromCodePoint(char))}'` : text, { ...spec, zero: false });
    }
    default:
      return wrongVerb(value, spec);
  }
}

function writeDigits(value: bigint, base: number, spec: Spec): string {
  const sign = value < 0n ? "-" : spec.plus ? "+" : spec.blank ? " " : "";
  if (spec.precision === 0 && value === 0n) return padText("", { ...spec, zero: false });
  let digits = (value < 0n ? -value : value).toString(base);
  let prefix = "";
  if (spec.sharp && base === 2) prefix = "0b";
  if (spec.sharp && base === 16) prefix = "0x";
  if (spec.verb === "O") prefix = "0o";
  if (spec.precision !== undefined) digits = digits.padStart(spec.precision, "0");
  else if (spec.zero && spec.width !== undefined) digits = digits.padStart(spec.width - sign.length, "0");
  if (spec.sharp && spec.verb === "o" && !digits.startsWith("0")) prefix = "0";
  const text = sign + prefix + digits;
  return padText(spec.verb === "X" ? text.toUpperCase() : text, { ...spec, zero: false });
}

function writeFloat(value: number, spec: Spec): string {
  if ("bxX".includes(spec.verb)) throw new FunctionError(`printf: %${spec.verb} of a float64 is not supported`);
  if (spec.sharp) throw new FunctionError(`printf: the flag # with %${spec.verb} of a float64 is not supported`);
  const text = floatText(value, spec);
  if (text === undefined) return wrongVerb(value, spec);
  const isNumber = Number.isFinite(value);
  const [, minus = "", digits = ""] = /^([+-]?)([\s\S]*)$/.exec(text) ?? [];
  const plain = minus === "-" ? "-" : spec.plus ? "+" : spec.blank ? " " : value === Number.POSITIVE_INFINITY ? "+" : "";
  // Zeros go between the sign and the digits.
  if (spec.zero && isNumber && spec.width !== undefined) return plain + digits.padStart(spec.width - plain.length, "0");
  return padText(plain + digits, { ...spec, zero: false });
}

function floatText(value: number, { verb, precision }: Spec): string | undefined {
  switch (verb) {
    case "v":
    case "g":
      return formatG(value, precision);
    case "G":
      return formatG(value, precision).replace("e", "E");
    case "e":
      return formatE(value, precision ?? 6);
    case "E":
      return formatE(value, precision ?? 6).replace("e", "E");
    case "f":
    case "F":
      return formatF(value, precision ?? 6);
    default:
      return undefined;
  }
}
