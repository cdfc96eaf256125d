/*
 * Times as Go's layouts write them: the layout is how Monday, 2 January 2006, 15:04:05 would be written.
 */

const months = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];
const days = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/** Longest first, where one begins like another. */
const elements =
  /January|Jan(?![a-z])|Monday|Mon(?![a-z])|MST|2006|Z07:00:00|Z070000|Z07:00|Z0700|Z07|-07:00:00|-070000|-07:00|-0700|-07|002|01|02|03|04|05|06|15|PM|pm|_2006|__2|_2|[.,]0+(?![0-9])|[.,]9+(?![0-9])|1|2|3|4|5/g;

/** @param ns Unix nanoseconds. @param layout bytes. */
export function formatTime(ns: bigint, layout: string): string {
  const second = ns / 1_000_000_000n - (ns % 1_000_000_000n < 0n ? 1n : 0n);
  const fraction = String(ns - second * 1_000_000_000n).padStart(9, "0");
  const date = new Date(Number(second) * 1000);
  return layout.replace(elements, (element) => write(element, date, fraction));
}

function write(element: string, date: Date, fraction: string): string {
  const two = (value: number): string => String(value).padStart(2, "0");
  const hour12 = date.getUTCHours() % 12 || 12;
  const month = months[date.getUTCMonth()] ?? "";
  const day = days[date.getUTCDay()] ?? "";
  const year = String(date.getUTCFullYear()).padStart(4, "0");
  const ofYear = Math.floor((date.getTime() - Date.UTC(date.getUTCFullYear(), 0, 1)) / 86_400_000) + 1;
  if (/^[.,]/.test(element)) return fractionOf(element, fraction);
  // All times are UTC.
  if (element.startsWith("Z")) return "Z";
  if (element.startsWith("-07")) return element.replace(/\d/g, "0").replace("-", "+");
  const written: Readonly<Record<string, string>> = {
    January: month,
    Jan: month.slice(0, 3),
    "1": String(date.getUTCMonth() + 1),
    "01": two(date.getUTCMonth() + 1),
    Monday: day,
    Mon: day.slice(0, 3),
    "2": String(date.getUTCDate()),
    _2: String(date.getUTCDate()).padStart(2, " "),
    _2006: `_${year}`,
    "02": two(date.getUTCDate()),
    __2: String(ofYear).padStart(3, " "),
    "002": String(ofYear).padStart(3, "0"),
    "15": two(date.getUTCHours()),
    "3": String(hour12),
    "03": two(hour12),
    "4": String(date.getUTCMinutes()),
    "04": two(date.getUTCMinutes()),
    "5": String(date.getUTCSeconds()),
    "05": two(date.getUTCSeconds()),
    "2006": year,
    "06": year.slice(-2),
    PM: date.getUTCHours() >= 12 ? "PM" : "AM",
    pm: date.getUTCHours() >= 12 ? "pm" : "am",
    MST: "UTC",
  };
  return written[element] ?? element;
}

/** `.000` has as many digits as zeros, `.999` drops zeros at the end. */
function fractionOf(element: string, fraction: string): string {
  const sign = element[0] ?? ".";
  const digits = fraction.slice(0, element.length - 1);
  if (element[1] === "0") return sign + digits;
  const short = digits.replace(/0+$/, "");
  return short === "" ? "" : sign + short;
}
