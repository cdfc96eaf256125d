import { FieldReader } from "./field-reader.js";
import { InvalidField } from "./invalid-field.js";
import type { JobType, MigrateStrategy, ReschedulePolicy, RestartPolicy, UpdateStrategy } from "./job.js";
import { HOUR, MINUTE, SECOND } from "./units.js";

/*
 * Defaults of the policies by the type of the job. Source: reference behaviour §4.4, §4.12 and the reference's samples.
 */

const isBatch = (type: JobType): boolean => type === "batch" || type === "sysbatch";

export const defaultRestartPolicy = (type: JobType): RestartPolicy => ({
  Attempts: isBatch(type) ? 3 : 2,
  Interval: isBatch(type) ? 24 * HOUR : 30 * MINUTE,
  Delay: 15 * SECOND,
  Mode: "fail",
  RenderTemplates: false,
});

/** @param base what is not given comes from here: the group's policy for a task. */
export function readRestartPolicy(value: unknown, path: string, base: RestartPolicy): RestartPolicy {
  const from = new FieldReader(value, path);
  const Attempts = from.whole("Attempts", base.Attempts);
  const Interval = from.duration("Interval", base.Interval);
  const Delay = from.duration("Delay", base.Delay);
  const Mode = from.oneOf("Mode", ["fail", "delay"], base.Mode);
  // With no attempt, the other members say nothing; else the interval bounds how often a task may be restarted.
  if (Attempts === 0 && Mode === "delay") throw from.invalid("Attempts", '1 or more when Mode is "delay"');
  if (Attempts > 0) {
    if (Interval < 5 * SECOND) throw from.invalid("Interval", "5s (5000000000) or more");
    if (Attempts * Number(Delay) > Number(Interval))
      throw from.invalid("Interval", `at least Attempts times Delay, ${Attempts * Number(Delay)} ns`);
  }
  return {
    ...from.others(known.restart),
    Attempts,
    Interval,
    Delay,
    Mode,
    RenderTemplates: from.flag("RenderTemplates", base.RenderTemplates),
  };
}

export function defaultReschedulePolicy(type: JobType): ReschedulePolicy | null {
  if (type === "system" || type === "sysbatch") return null;
  if (type === "batch")
    return { Attempts: 1, Interval: 24 * HOUR, Delay: 5 * SECOND, DelayFunction: "constant", MaxDelay: 0, Unlimited: false };
  return { Attempts: 0, Interval: 0, Delay: 30 * SECOND, DelayFunction: "exponential", MaxDelay: HOUR, Unlimited: true };
}

/** @param given the job's own policy, which its groups inherit. */
export function readReschedulePolicy(value: unknown, path: string, type: JobType, given: ReschedulePolicy | null): ReschedulePolicy {
  const base = given ?? defaultReschedulePolicy(type) ?? (defaultReschedulePolicy("batch") as ReschedulePolicy);
  const from = new FieldReader(value, path);
  const Attempts = from.whole("Attempts", base.Attempts);
  const Interval = from.duration("Interval", base.Interval);
  const Delay = from.duration("Delay", base.Delay);
  const DelayFunction = from.oneOf("DelayFunction", ["constant", "exponential", "fibonacci"], base.DelayFunction);
  const MaxDelay = from.duration("MaxDelay", base.MaxDelay);
  const Unlimited = from.flag("Unlimited", base.Unlimited);
  // Else a task that fails at once would be placed again as fast as the host can.
  if (Attempts > 0 || Unlimited) {
    if (Delay < 5 * SECOND) throw from.invalid("Delay", "5s (5000000000) or more");
    if (DelayFunction !== "constant" && MaxDelay > 0 && MaxDelay < Delay) throw from.invalid("MaxDelay", `Delay (${Delay}) or more`);
  }
  if (Attempts > 0) {
    // A service's default is Unlimited, which would silently make nothing of the attempts.
    if (Unlimited) throw new InvalidField(from.at("Unlimited"), true, `false when Attempts is more than 0 (${Attempts})`);
    if (Interval <= 0) throw from.invalid("Interval", `more than 0 when Attempts is (${Attempts})`);
  }
  return {
    ...from.others(known.reschedule),
    Attempts,
    Interval,
    Delay,
    DelayFunction,
    MaxDelay,
    Unlimited,
  };
}

const defaultUpdate: UpdateStrategy = {
  Stagger: 30 * SECOND,
  MaxParallel: 1,
  HealthCheck: "checks",
  MinHealthyTime: 10 * SECOND,
  HealthyDeadline: 5 * MINUTE,
  ProgressDeadline: 10 * MINUTE,
  AutoRevert: false,
  AutoPromote: false,
  Canary: 0,
};

/**
 * The job's own block, which its groups inherit. A job that was read and is registered again has it in short, with times of
 * 0 that say nothing: as a deadline 0 would make every new allocation unhealthy at once.
 */
export function readJobUpdate(value: unknown, path: string): UpdateStrategy {
  const from = new FieldReader(value, path);
  const isShort = from.raw("HealthyDeadline") === 0;
  return readUpdate(isShort ? from.others(["HealthyDeadline", "MinHealthyTime", "ProgressDeadline"]) : value, path);
}

/** @param base the update block of the job, which its groups inherit. */
export function readUpdate(value: unknown, path: string, base: UpdateStrategy = defaultUpdate): UpdateStrategy {
  return value === undefined ? base : updateOf(new FieldReader(value, path), base);
}

function updateOf(from: FieldReader, base: UpdateStrategy): UpdateStrategy {
  const HealthyDeadline = from.duration("HealthyDeadline", base.HealthyDeadline);
  const MinHealthyTime = from.duration("MinHealthyTime", base.MinHealthyTime);
  if (MinHealthyTime >= HealthyDeadline) throw from.invalid("MinHealthyTime", `less than HealthyDeadline, ${HealthyDeadline} ns`);
  return {
    ...from.others(known.update),
    Stagger: from.duration("Stagger", base.Stagger),
    MaxParallel: from.whole("MaxParallel", base.MaxParallel),
    HealthCheck: from.oneOf("HealthCheck", ["checks", "task_states", "manual"], base.HealthCheck || "checks"),
    MinHealthyTime,
    HealthyDeadline,
    ProgressDeadline: from.duration("ProgressDeadline", base.ProgressDeadline),
    AutoRevert: from.flag("AutoRevert", base.AutoRevert),
    AutoPromote: from.flag("AutoPromote", base.AutoPromote),
    Canary: from.whole("Canary", base.Canary),
  };
}

const defaultMigrate: MigrateStrategy = {
  MaxParallel: 1,
  HealthCheck: "checks",
  MinHealthyTime: 10 * SECOND,
  HealthyDeadline: 5 * MINUTE,
};

/** @param base the migrate block of the job, which its groups inherit. */
export function readMigrate(value: unknown, path: string, base: MigrateStrategy = defaultMigrate): MigrateStrategy {
  if (value === undefined) return base;
  const from = new FieldReader(value, path);
  return {
    ...from.others(known.migrate),
    MaxParallel: from.whole("MaxParallel", base.MaxParallel),
    HealthCheck: from.oneOf("HealthCheck", ["checks", "task_states"], base.HealthCheck),
    MinHealthyTime: from.duration("MinHealthyTime", base.MinHealthyTime),
    HealthyDeadline: from.duration("HealthyDeadline", base.HealthyDeadline),
  };
}

const known = {
  restart: ["Attempts", "Interval", "Delay", "Mode", "RenderTemplates"],
  reschedule: ["Attempts", "Interval", "Delay", "DelayFunction", "MaxDelay", "Unlimited"],
  update: [
    "Stagger",
    "MaxParallel",
    "HealthCheck",
    "MinHealthyTime",
    "HealthyDeadline",
    "ProgressDeadline",
    "AutoRevert",
    "AutoPromote",
    "Canary",
  ],
  migrate: ["MaxParallel", "HealthCheck", "MinHealthyTime", "HealthyDeadline"],
} as const;
