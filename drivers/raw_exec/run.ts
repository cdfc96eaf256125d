import { constants } from "node:os";
import { DriverError, type DriverState, type ExitResult, type TaskRun } from "../driver.js";
import type { ShimClient } from "../shim/client.js";

/** Source: reference behaviour §5.5. */
const defaultKillSignal = "SIGINT";

/** One run of a raw_exec task, in the shim. */
export class RawExecRun implements TaskRun {
  readonly runId: string;
  readonly state: DriverState;
  readonly exited: Promise<ExitResult>;
  readonly #shim: ShimClient;

  constructor(runId: string, state: DriverState, exited: Promise<ExitResult>, shim: ShimClient) {
    this.runId = runId;
    this.state = state;
    this.exited = exited;
    this.#shim = shim;
  }

  async stop(signal: string, timeoutMs: number): Promise<void> {
    if (timeoutMs > 0) {
      await this.#shim.signalRun(this.runId, numberOf(signal === "" ? defaultKillSignal : signal));
      if (await this.#endsWithin(timeoutMs)) return;
    }
    await this.#shim.killRun(this.runId);
    await this.exited;
  }

  async signal(signal: string): Promise<void> {
    const reached = await this.#shim.signalRun(this.runId, numberOf(signal));
    if (!reached) throw new DriverError("Task not running", false);
  }

  async destroy(): Promise<void> {
    await this.#shim.releaseRun(this.runId);
  }

  async #endsWithin(ms: number): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<false>((resolve) => {
      timer = setTimeout(resolve, ms, false);
    });
    try {
      return await Promise.race([this.exited.then(() => true), timeout]);
    } finally {
      clearTimeout(timer);
    }
  }
}

function numberOf(signal: string): number {
  const number = (constants.signals as Readonly<Record<string, number>>)[signal];
  if (number === undefined) throw new DriverError(`error unknown signal given for shutdown: ${signal}`, false);
  return number;
}
