import type { SignalName } from "./signals.js";
import type { Duration } from "./units.js";

/** A file that is written for a task from a template, in Nomad's words. */
export interface Template {
  /** In the task's directory; empty when EmbeddedTmpl is the template. */
  readonly SourcePath: string;
  readonly DestPath: string;
  readonly EmbeddedTmpl: string;
  readonly ChangeMode: "noop" | "restart" | "signal" | "script";
  readonly ChangeSignal: SignalName | "";
  readonly ChangeScript: ChangeScript | null;
  /** The longest random delay between a new content and what it causes. */
  readonly Splay: Duration;
  /** Octal, such as "0644". */
  readonly Perms: string;
  /** Null: the task's user's. */
  readonly Uid: number | null;
  readonly Gid: number | null;
  readonly LeftDelim: string;
  readonly RightDelim: string;
  /** Whether the content is variables of the task. */
  readonly Envvars: boolean;
  /** How long changes are collected; null: as the agent's configuration says. */
  readonly Wait: { readonly Min: Duration; readonly Max: Duration } | null;
  readonly ErrMissingKey: boolean;
  readonly Once: boolean;
  readonly [member: string]: unknown;
}

export interface ChangeScript {
  readonly Command: string;
  readonly Args: readonly string[] | null;
  readonly Timeout: Duration;
  /** Whether the task is killed when the script fails. */
  readonly FailOnError: boolean;
}
