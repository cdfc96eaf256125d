import { TaskConfigError } from "../driver.js";

/** A raw_exec task's `Config`. Source: reference behaviour §5.1; `tty` is ours. */
export interface RawExecConfig {
  readonly command: string;
  readonly args: readonly string[];
  /** Absolute; empty is the task's directory. */
  readonly workDir: string;
  readonly oomScoreAdj: number;
  readonly tty: boolean;
  /** Globs of names. */
  readonly deniedEnvvars: readonly string[];
  readonly cgroupV2Override: string;
}

const keys = ["command", "args", "work_dir", "oom_score_adj", "tty", "denied_envvars", "cgroup_v2_override"] as const;

/** @throws TaskConfigError that names the key and what was given. */
export function parseConfig(config: Readonly<Record<string, unknown>>): RawExecConfig {
  const unknown = Object.keys(config).filter((key) => !(keys as readonly string[]).includes(key));
  if (unknown.length > 0) throw new TaskConfigError(unknown.map(unknownKey).join("; "));
  const command = text(config, "command");
  if (command === "")
    throw new TaskConfigError('Missing required argument: The argument "command" is required, but no definition was found.');
  const workDir = text(config, "work_dir");
  if (workDir !== "" && !workDir.startsWith("/")) throw new TaskConfigError(`work_dir must be an absolute path, got ${show(workDir)}`);
  const oomScoreAdj = config.oom_score_adj ?? 0;
  if (typeof oomScoreAdj !== "number" || !Number.isInteger(oomScoreAdj) || oomScoreAdj > 1000)
    throw new TaskConfigError(`oom_score_adj: got ${show(oomScoreAdj)}, want a whole number from 0 to 1000`);
  if (oomScoreAdj < 0) throw new TaskConfigError("oom_score_adj must not be negative");
  const tty = config.tty ?? false;
  if (typeof tty !== "boolean") throw new TaskConfigError(`tty: got ${show(tty)}, want true or false`);
  return {
    command,
    args: texts(config, "args"),
    workDir,
    oomScoreAdj,
    tty,
    deniedEnvvars: texts(config, "denied_envvars"),
    cgroupV2Override: text(config, "cgroup_v2_override"),
  };
}

function text(config: Readonly<Record<string, unknown>>, key: string): string {
  const value = config[key] ?? "";
  if (typeof value !== "string") throw new TaskConfigError(`${key}: got ${show(value)}, want a string`);
  if (value.includes("\0")) throw new TaskConfigError(`${key}: got ${show(value)}, want a string without NUL`);
  return value;
}

function texts(config: Readonly<Record<string, unknown>>, key: string): readonly string[] {
  const value = config[key] ?? [];
  if (!Array.isArray(value)) throw new TaskConfigError(`${key}: got ${show(value)}, want a list of strings`);
  return value.map((item: unknown, at) => {
    // HCL turns numbers and booleans into strings where strings are wanted.
    if (typeof item === "number" || typeof item === "bigint" || typeof item === "boolean") return String(item);
    if (typeof item !== "string" || item.includes("\0")) throw new TaskConfigError(`${key}[${at}]: got ${show(item)}, want a string`);
    return item;
  });
}

const show = (value: unknown): string =>
  typeof value === "bigint" ? String(value) : (JSON.stringify(value) ?? String(value)).slice(0, 80);

/** Source of the text: reference behaviour §4.3. */
function unknownKey(key: string): string {
  const near = keys.map((known) => ({ known, distance: editDistance(key, known) })).sort((a, b) => a.distance - b.distance)[0];
  const hint = near && near.distance <= 3 ? ` Did you mean "${near.known}"?` : ` Known are: ${keys.join(", ")}.`;
  return `Invalid label: No argument or block type is named "${key}".${hint}`;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
}
