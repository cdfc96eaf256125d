import { FieldReader, readText } from "./field-reader.js";
import { parseSignal, type SignalName } from "./signals.js";
import type { ChangeScript, Template } from "./template.js";
import { SECOND } from "./units.js";

const maxId = 2 ** 32 - 2;

/** Source of the defaults: the reference's job specification. */
export function readTemplate(value: unknown, path: string): Template {
  const from = new FieldReader(value, path);
  const SourcePath = from.text("SourcePath");
  const EmbeddedTmpl = from.text("EmbeddedTmpl");
  if (SourcePath === "" && EmbeddedTmpl === "") throw from.invalid("EmbeddedTmpl", "a template, here or at SourcePath");
  if (SourcePath !== "" && EmbeddedTmpl !== "") throw from.invalid("SourcePath", "none beside an EmbeddedTmpl");
  const ChangeMode = from.oneOf("ChangeMode", ["noop", "restart", "signal", "script"], "restart");
  const Envvars = from.flag("Envvars");
  if (Envvars && ChangeMode === "signal")
    throw from.invalid("ChangeMode", "noop, restart or script with Envvars: a signal gives a task no variables");
  const ChangeScript = from.object("ChangeScript", readChangeScript);
  if (ChangeMode === "script" && !ChangeScript) throw from.invalid("ChangeScript", 'a script for ChangeMode "script"');
  return {
    ...from.others(known),
    SourcePath,
    DestPath: from.needed("DestPath"),
    EmbeddedTmpl,
    ChangeMode,
    ChangeSignal: readSignal(from, ChangeMode === "signal"),
    ChangeScript,
    Splay: from.duration("Splay", 5 * SECOND),
    Perms: readPerms(from),
    Uid: readId(from, "Uid"),
    Gid: readId(from, "Gid"),
    LeftDelim: from.text("LeftDelim") || "{{",
    RightDelim: from.text("RightDelim") || "}}",
    Envvars,
    Wait: from.object("Wait", readWait),
    ErrMissingKey: from.flag("ErrMissingKey"),
    Once: from.flag("Once"),
    VaultGrace: from.duration("VaultGrace", 0),
  };
}

function readSignal(from: FieldReader, isNeeded: boolean): SignalName | "" {
  const given = isNeeded ? from.needed("ChangeSignal") : from.text("ChangeSignal");
  if (given === "") return "";
  const signal = parseSignal(given);
  if (signal === undefined) throw from.invalid("ChangeSignal", "the name of a signal, such as SIGHUP");
  return signal;
}

function readPerms(from: FieldReader): string {
  const perms = from.text("Perms") || "0644";
  if (!/^[0-7]{1,4}$/.test(perms)) throw from.invalid("Perms", 'an octal mode such as "0644"');
  return perms;
}

/** The reference writes -1 for none. */
function readId(from: FieldReader, member: string): number | null {
  if (from.raw(member) === undefined) return null;
  const id = from.whole(member, -1, { min: -1, max: maxId });
  return id === -1 ? null : id;
}

function readWait(value: unknown, path: string): Template["Wait"] {
  const from = new FieldReader(value, path);
  const Min = from.duration("Min", 0);
  const Max = from.raw("Max") === undefined ? BigInt(Min) * 4n : from.duration("Max", 0);
  if (BigInt(Max) < BigInt(Min)) throw from.invalid("Max", `Min (${Min}) or more`);
  return { Min, Max: typeof Max === "bigint" && Max <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(Max) : Max };
}

function readChangeScript(value: unknown, path: string): ChangeScript {
  const from = new FieldReader(value, path);
  return {
    ...from.others(["Command", "Args", "Timeout", "FailOnError"]),
    Command: from.needed("Command"),
    Args: from.list("Args", readText),
    Timeout: from.duration("Timeout", 5 * SECOND, 1),
    FailOnError: from.flag("FailOnError"),
  };
}

const known = [
  ...["SourcePath", "DestPath", "EmbeddedTmpl", "ChangeMode", "ChangeSignal", "ChangeScript", "Splay", "Perms", "Uid", "Gid"],
  ...["LeftDelim", "RightDelim", "Envvars", "Wait", "ErrMissingKey", "Once", "VaultGrace"],
];
