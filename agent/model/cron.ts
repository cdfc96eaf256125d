import { Cron } from "croner";
import type { PeriodicConfig } from "./parent-job.js";

/**
 * The times of a periodic job. Fields are those of the reference: five, minute to weekday; a sixth is the year; with a
 * seventh, seconds come first. Source: Nomad's `periodic` block and its cron library's documentation.
 */
export class CronTimes {
  readonly #specs: readonly Cron[];

  /** @throws Error that says what is wrong with an expression or the time zone. */
  constructor({ Spec, Specs, TimeZone }: Pick<PeriodicConfig, "Spec" | "Specs" | "TimeZone">) {
    checkTimeZone(TimeZone);
    this.#specs = [...(Specs ?? []), ...(Spec === "" ? [] : [Spec])].map((spec) => cron(spec, TimeZone));
  }

  /**
   * The first time after a moment, both in Unix seconds.
   *
   * @returns undefined when there is none any more.
   */
  next(after: number): number | undefined {
    const times = this.#specs
      .flatMap((spec) => spec.nextRun(new Date(after * 1000)) ?? [])
      .map((date) => Math.floor(date.getTime() / 1000));
    // Where a clock is set back the library may name a moment again that was named already.
    const later = times.filter((time) => time > after);
    return later.length > 0 ? Math.min(...later) : undefined;
  }
}

/** @throws Error */
function cron(spec: string, timezone: string): Cron {
  const text = spec.trim();
  if (text.startsWith("@")) return new Cron(text, { timezone, paused: true });
  const fields = text.split(/\s+/);
  if (fields.length < 5 || fields.length > 7) throw new Error(`got ${fields.length} fields, want 5 to 7`);
  const seconds = fields.length === 7 ? "" : "0 ";
  return new Cron(`${seconds}${fields.join(" ")}`, { timezone, paused: true, mode: fields.length === 5 ? "6-part" : "7-part" });
}

function checkTimeZone(timeZone: string): void {
  try {
    new Intl.DateTimeFormat("en", { timeZone });
  } catch {
    throw new Error(`time zone ${JSON.stringify(timeZone)} is not known`);
  }
}
