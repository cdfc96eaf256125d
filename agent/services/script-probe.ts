import { randomUUID } from "node:crypto";
import type { ExecProcess, TaskRun } from "../../drivers/driver.js";
import { failure, maxOutputBytes, type Probe, type ProbeResult } from "./probe.js";

/** By Consul's convention, which people's scripts keep to: 1 is a warning. */
const warningCode = 1;

/** Runs a command in the task, as an exec session does. Its exit code is the result, its output is shown. */
export const scriptProbe =
  (run: TaskRun, command: readonly string[]): Probe =>
  (signal) =>
    new Promise<ProbeResult>((resolve) => {
      let started: ExecProcess | undefined;
      let output = Buffer.alloc(0);
      const late = (): void => void started?.end("the check's timeout is over");
      const end = (result: ProbeResult): void => {
        signal.removeEventListener("abort", late);
        resolve(result);
      };
      signal.addEventListener("abort", late, { once: true });
      const listener = {
        output: (_stream: 1 | 2, bytes: Buffer): void => {
          if (output.length < maxOutputBytes) output = Buffer.concat([output, bytes]).subarray(0, maxOutputBytes);
          started?.ack(bytes.length);
        },
        closed: (): void => {},
        exited: ({ exitCode, reason }: { readonly exitCode: number; readonly reason: string }): void => {
          const text = output.toString("utf8");
          if (reason !== "") end(failure(text === "" ? reason : `${reason}: ${text}`));
          else end({ outcome: exitCode === 0 ? "success" : exitCode === warningCode ? "warning" : "failure", output: text, code: 0 });
        },
      };
      run.exec({ sessionId: `check-${randomUUID()}`, command, tty: null }, listener).then(
        (process) => {
          started = process;
          if (signal.aborted) late();
          else void process.stdin(Buffer.alloc(0), true);
        },
        (error: Error) => end(failure(error.message)),
      );
    });
