import { CronTimes } from "./cron.js";
import { FieldReader, readText } from "./field-reader.js";
import { InvalidField } from "./invalid-field.js";
import type { JobType } from "./job.js";
import type { ParameterizedConfig, PeriodicConfig } from "./parent-job.js";

const isBatch = (type: JobType): boolean => type === "batch" || type === "sysbatch";
const maxSpecs = 64;

/** @throws InvalidField for a periodic block that can not be kept, or of a job that does not end by itself. */
export function readPeriodic(from: FieldReader, type: JobType): PeriodicConfig | null {
  const periodic = from.object("Periodic", readPeriodicBlock);
  if (periodic && !isBatch(type)) throw new InvalidField(from.at("Type"), type, "batch or sysbatch for a job with Periodic");
  return periodic;
}

function readPeriodicBlock(value: unknown, path: string): PeriodicConfig {
  const from = new FieldReader(value, path);
  const Spec = from.text("Spec");
  const Specs = from.list("Specs", readText);
  if (Spec === "" && !Specs?.length) throw from.invalid("Spec", "a cron expression, here or in Specs");
  if (Spec !== "" && Specs?.length) throw from.invalid("Specs", "either Spec or Specs");
  if (Specs && Specs.length > maxSpecs) throw new InvalidField(from.at("Specs"), `${Specs.length} expressions`, `at most ${maxSpecs}`);
  const periodic: PeriodicConfig = {
    ...from.others(["Enabled", "Spec", "Specs", "SpecType", "ProhibitOverlap", "TimeZone"]),
    Enabled: from.flag("Enabled", true),
    Spec,
    Specs: Specs?.length ? Specs : null,
    SpecType: from.oneOf("SpecType", ["cron"], "cron"),
    ProhibitOverlap: from.flag("ProhibitOverlap"),
    TimeZone: from.text("TimeZone") || "UTC",
  };
  checkEach(periodic, from);
  return periodic;
}

/** Each expression by itself, so that the error names the one that is wrong. */
function checkEach({ Spec, Specs, TimeZone }: PeriodicConfig, from: FieldReader): void {
  check(
    from.at("TimeZone"),
    TimeZone,
    "the name of a time zone, such as Europe/Berlin",
    () => new CronTimes({ Spec: "", Specs: null, TimeZone }),
  );
  const given = Specs ? Specs.map((spec, i) => [`${from.at("Specs")}[${i}]`, spec] as const) : [[from.at("Spec"), Spec] as const];
  for (const [at, spec] of given) check(at, spec, "a cron expression", () => new CronTimes({ Spec: spec, Specs: null, TimeZone }));
}

function check(at: string, given: string, want: string, attempt: () => unknown): void {
  try {
    attempt();
  } catch (error) {
    throw new InvalidField(at, given, `${want}: ${(error as Error).message}`);
  }
}

/** @throws InvalidField */
export function readParameterized(from: FieldReader, type: JobType): ParameterizedConfig | null {
  const parameterized = from.object("ParameterizedJob", readParameterizedBlock);
  if (parameterized && !isBatch(type)) throw new InvalidField(from.at("Type"), type, "batch or sysbatch for a job with ParameterizedJob");
  return parameterized;
}

function readParameterizedBlock(value: unknown, path: string): ParameterizedConfig {
  const from = new FieldReader(value, path);
  const MetaRequired = from.list("MetaRequired", readText);
  const MetaOptional = from.list("MetaOptional", readText);
  const both = MetaOptional?.find((key) => MetaRequired?.includes(key));
  if (both !== undefined) throw new InvalidField(from.at("MetaOptional"), both, "keys that are not in MetaRequired");
  return {
    ...from.others(["Payload", "MetaRequired", "MetaOptional"]),
    Payload: from.oneOf("Payload", ["optional", "required", "forbidden"], "optional"),
    MetaRequired: MetaRequired?.length ? MetaRequired : null,
    MetaOptional: MetaOptional?.length ? MetaOptional : null,
  };
}

/** Where the payload of a dispatch is written, below the task's `local`. @throws InvalidField for a path that leads out of it. */
export function readDispatchPayload(value: unknown, path: string): { readonly File: string } {
  const from = new FieldReader(value, path);
  const File = from.needed("File");
  const parts = File.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.length === 0 || parts.includes("..") || File.endsWith("/"))
    throw from.invalid("File", "the path of a file below the task's local directory");
  return { ...from.others(["File"]), File };
}
