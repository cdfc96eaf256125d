/*
 * Floating point numbers as Go's strconv writes them: rounded from their exact value, half to even.
 */

interface Decimal {
  readonly sign: string;
  readonly digits: string;
  /** Of the first digit: the value is `d.ddd × 10^exponent`. */
  readonly exponent: number;
}

/** From this exponent on `%g` writes `1e+06`, when it takes as many digits as needed. */
const shortestThreshold = 6;

/** `d.ddde+dd`. @param precision digits behind the point; undefined: as many as tell the number from all others. */
export const formatE = (value: number, precision?: number): string => special(value) ?? writeE(decimalOf(value, precision));

/** `ddd.ddd`. @param precision as with `formatE`. */
export function formatF(value: number, precision?: number): string {
  const name = special(value);
  if (name !== undefined) return name;
  if (precision === undefined) return writeF(decimalOf(value));
  const scaled = scale(Math.abs(value), precision)
    .toString()
    .padStart(precision + 1, "0");
  const whole = scaled.slice(0, scaled.length - precision);
  return signOf(value) + (precision === 0 ? whole : `${whole}.${scaled.slice(-precision)}`);
}

/** The shorter of the two. @param precision significant digits; undefined: as many as it takes. */
export function formatG(value: number, precision?: number): string {
  const name = special(value);
  if (name !== undefined) return name;
  const wanted = precision === undefined ? undefined : Math.max(1, precision);
  const { sign, digits, exponent } = decimalOf(value, wanted === undefined ? undefined : wanted - 1);
  const short = { sign, exponent, digits: digits.replace(/0+$/, "") || "0" };
  let threshold = wanted ?? shortestThreshold;
  if (wanted !== undefined && wanted > short.digits.length && short.digits.length >= exponent + 1) threshold = short.digits.length;
  return exponent < -4 || exponent >= threshold ? writeE(short) : writeF(short);
}

function special(value: number): string | undefined {
  if (Number.isNaN(value)) return "NaN";
  return Number.isFinite(value) ? undefined : value > 0 ? "+Inf" : "-Inf";
}

const signOf = (value: number): string => (value < 0 || Object.is(value, -0) ? "-" : "");

function decimalOf(value: number, precision?: number): Decimal {
  const sign = signOf(value);
  const [, first = "", more = "", power = "0"] = /^(\d)\.?(\d*)e([+-]\d+)$/.exec(Math.abs(value).toExponential()) ?? [];
  if (precision === undefined || value === 0)
    return { sign, digits: (first + more).padEnd((precision ?? 0) + 1, "0"), exponent: Number(power) };
  // The shortest form may have been rounded up to the next power of ten, and so may ours.
  for (let exponent = Number(power) - 1; ; exponent++) {
    const digits = scale(Math.abs(value), precision - exponent).toString();
    if (digits.length === precision + 1) return { sign, digits, exponent };
  }
}

function writeE({ sign, digits, exponent }: Decimal): string {
  const fraction = digits.length > 1 ? `.${digits.slice(1)}` : "";
  return `${sign}${digits[0]}${fraction}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
}

function writeF({ sign, digits, exponent }: Decimal): string {
  if (exponent < 0) return `${sign}0.${"0".repeat(-exponent - 1)}${digits}`;
  const fraction = digits.slice(exponent + 1);
  return `${sign}${digits.slice(0, exponent + 1).padEnd(exponent + 1, "0")}${fraction === "" ? "" : `.${fraction}`}`;
}

/** `value × 10^places` as a whole number, half to even. */
function scale(value: number, places: number): bigint {
  const [mantissa, power] = partsOf(value);
  let [over, under] = [mantissa, 1n];
  if (power >= 0) over <<= BigInt(power);
  else under <<= BigInt(-power);
  if (places >= 0) over *= 10n ** BigInt(places);
  else under *= 10n ** BigInt(-places);
  const whole = over / under;
  const twice = (over % under) * 2n;
  return twice > under || (twice === under && whole % 2n === 1n) ? whole + 1n : whole;
}

/** `value = mantissa × 2^power` */
function partsOf(value: number): readonly [mantissa: bigint, power: number] {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  const bits = view.getBigUint64(0);
  const exponent = Number(bits >> 52n) & 0x7ff;
  const fraction = bits & ((1n << 52n) - 1n);
  return exponent === 0 ? [fraction, -1074] : [fraction | (1n << 52n), exponent - 1075];
}
