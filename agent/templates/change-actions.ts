import { randomUUID } from "node:crypto";
import type { TaskRun } from "../../drivers/driver.js";
import type { TaskControl } from "../allocs/task-control.js";
import type { Clock } from "../clock.js";
import type { Logger } from "../log.js";
import { describeSignal, type SignalName } from "../model/signals.js";
import { hookFailed, hookMessage, templateFailed, templateRestart, templateSignal } from "../model/task-events.js";
import type { TaskEvent } from "../model/task-state.js";
import type { ChangeScript, Template } from "../model/template.js";
import type { UnixNano } from "../model/units.js";

export interface ChangeDeps {
  readonly control: TaskControl;
  readonly clock: Clock;
  readonly log: Logger;
  readonly emit: (event: (at: UnixNano) => TaskEvent) => void;
  readonly interpolate: (text: string) => string;
  /** 0 up to, not including, 1. */
  readonly random: () => number;
}

const nsPerMs = 1_000_000;

/**
 * Does what the templates ask for that have a new content: a restart makes signals and scripts needless.
 * Source: reference behaviour §3.2; a task that does not run at the moment gets the content with its next start.
 */
export async function actOnChanges(changed: readonly Template[], deps: ChangeDeps, signal: AbortSignal): Promise<void> {
  const acting = changed.filter(({ ChangeMode }) => ChangeMode !== "noop");
  if (acting.length === 0) return;
  const splay = Math.max(...acting.map(({ Splay }) => Number(Splay)));
  await deps.clock.sleep((splay * deps.random()) / nsPerMs, signal);
  if (signal.aborted || !deps.control.run) return;
  if (acting.some(({ ChangeMode }) => ChangeMode === "restart")) {
    deps.control.restart(templateRestart);
    return;
  }
  const signals = acting.flatMap(({ ChangeMode, ChangeSignal }) => (ChangeMode === "signal" && ChangeSignal !== "" ? [ChangeSignal] : []));
  for (const name of new Set(signals)) await send(name, deps);
  for (const { ChangeMode, ChangeScript } of acting) {
    if (ChangeMode === "script" && ChangeScript && !signal.aborted) await run(ChangeScript, deps, signal);
  }
}

async function send(name: SignalName, { control, log }: ChangeDeps): Promise<void> {
  try {
    await control.signal(name, (at) => templateSignal(at, describeSignal(name)));
  } catch (error) {
    // It may have ended at this moment, which is nothing to kill it for.
    if (!control.run) return;
    log.warn({ err: error, signal: name }, "a template's signal could not be sent");
    control.fail((at) => templateFailed(at, `Template failed to send signals [${name}]: ${(error as Error).message}`));
  }
}

async function run(script: ChangeScript, deps: ChangeDeps, signal: AbortSignal): Promise<void> {
  const { control, emit, log, interpolate } = deps;
  const task = control.run;
  if (!task) return;
  const command = [interpolate(script.Command), ...(script.Args ?? []).map(interpolate)];
  const what = `script ${command[0]} with arguments [${command.slice(1).join(" ")}]`;
  const { exitCode, reason } = await execute(task, command, Number(script.Timeout) / nsPerMs, deps, signal);
  if (exitCode === 0 && reason === "") {
    emit((at) => hookMessage(at, `Template successfully ran ${what}. Exit code: 0`));
    return;
  }
  log.info({ command: command[0], exitCode, reason }, "a template's script failed");
  const cause = reason === "" ? "" : ` on change: ${reason}`;
  emit((at) => hookFailed(at, "template", `Template failed to run ${what}${cause}. Exit code: ${exitCode}`));
  if (script.FailOnError) control.fail((at) => templateFailed(at, "Template script failed, task is being killed"));
}

/** Runs a command beside the task; its output is nobody's. */
async function execute(
  task: TaskRun,
  command: readonly string[],
  timeoutMs: number,
  { clock }: ChangeDeps,
  signal: AbortSignal,
): Promise<{ readonly exitCode: number; readonly reason: string }> {
  const over = new AbortController();
  try {
    return await new Promise((resolve, reject) => {
      // Output comes before the process is known only as long as it has sent little.
      let ack = (_bytes: number): void => {};
      const listener = {
        output: (_stream: unknown, bytes: Buffer) => ack(bytes.length),
        closed: () => {},
        exited: resolve,
      };
      task
        .exec({ sessionId: randomUUID(), command, tty: null }, listener)
        .then(async (process) => {
          ack = (bytes) => process.ack(bytes);
          await process.stdin(Buffer.alloc(0), true);
          await clock.sleep(timeoutMs, AbortSignal.any([over.signal, signal]));
          if (!over.signal.aborted) await process.end(`it did not end in ${Math.round(timeoutMs)} ms`);
        })
        .catch(reject);
    });
  } catch (error) {
    return { exitCode: -1, reason: (error as Error).message };
  } finally {
    over.abort();
  }
}
