import {
  type AllocLookup,
  type Driver,
  DriverError,
  type DriverState,
  type ExecProcess,
  type ExitResult,
  type Recovery,
  TaskConfigError,
  type TaskRun,
  type TaskSpec,
  type TaskUsage,
} from "../../../drivers/driver.js";
import type { DriverInfo } from "../../model/node.js";

/** A driver whose processes do what the test says. It is the host: it stays when the agent is replaced. */
export class FakeDriver implements Driver {
  readonly name = "fake";
  readonly isolation = "none";
  readonly networks = null;
  /** In the order of their starts. */
  readonly runs: FakeRun[] = [];
  /** Called for each start, before the run is there; it may throw or wait. */
  onStart: (spec: TaskSpec) => Promise<void> | void = () => {};
  /** Called for each `recover`; it may throw. */
  onRecover: () => void = () => {};
  readonly #lost = new Set<string>();

  /** The runs of a task. */
  of(task: string): readonly FakeRun[] {
    return this.runs.filter((run) => run.spec.task === task);
  }

  /** The latest run of a task. @throws Error when it was never started. */
  last(task: string): FakeRun {
    const run = this.of(task).at(-1);
    if (!run) throw new Error(`task ${task} was never started`);
    return run;
  }

  /** As after a restart of the host. */
  forget(runId: string): void {
    this.#lost.add(runId);
  }

  async fingerprint(): Promise<DriverInfo> {
    return { Attributes: {}, Detected: true, Healthy: true, HealthDescription: "Healthy", UpdateTime: 0n };
  }

  validate(config: Readonly<Record<string, unknown>>): void {
    if ("bad" in config) throw new TaskConfigError('Invalid label: No argument or block type is named "bad".');
  }

  async start(spec: TaskSpec): Promise<TaskRun> {
    const known = this.runs.find((run) => run.runId === spec.runId);
    if (known) return known;
    await this.onStart(spec);
    const run = new FakeRun(spec);
    this.runs.push(run);
    return run;
  }

  async recover(_state: DriverState | null, spec: TaskSpec): Promise<Recovery> {
    this.onRecover();
    const run = this.runs.find((r) => r.runId === spec.runId && !this.#lost.has(r.runId) && !r.isDestroyed);
    return run ? { outcome: "found", run } : { outcome: "lost", reason: "unknown: host restarted" };
  }

  async removeForgotten(allocs: AllocLookup): Promise<void> {
    await Promise.all(this.runs.filter((run) => allocs.isRemoved(run.spec.allocId)).map((run) => run.destroy()));
  }
}

const interrupted: ExitResult = { exitCode: 130, signal: 2, oomKilled: false, error: "" };

export class FakeRun implements TaskRun {
  readonly runId: string;
  readonly state: DriverState;
  readonly exited: Promise<ExitResult>;
  /** What it was stopped with, in order. */
  readonly stops: { readonly signal: string; readonly timeoutMs: number }[] = [];
  readonly signals: string[] = [];
  readonly health = null;
  /** Whether it ends when it is stopped. */
  obeys = true;
  isOver = false;
  isDestroyed = false;
  #exit: (result: ExitResult) => void = () => {};

  constructor(readonly spec: TaskSpec) {
    this.runId = spec.runId;
    this.state = { runId: spec.runId };
    this.exited = new Promise((resolve) => {
      this.#exit = resolve;
    });
  }

  exit(exitCode: number, more: Partial<ExitResult> = {}): void {
    this.isOver = true;
    this.#exit({ exitCode, signal: 0, oomKilled: false, error: "", ...more });
  }

  async stop(signal: string, timeoutMs: number): Promise<void> {
    this.stops.push({ signal, timeoutMs });
    if (this.obeys) this.exit(interrupted.exitCode, interrupted);
    await this.exited;
  }

  async signal(signal: string): Promise<void> {
    this.signals.push(signal);
  }

  async exec(): Promise<ExecProcess> {
    throw new DriverError("not in this test", false);
  }

  async usage(): Promise<TaskUsage> {
    return { total: { userCpuNs: 0, systemCpuNs: 0, memory: {} }, processes: null };
  }

  async destroy(): Promise<void> {
    if (!this.isOver) throw new Error("destroyed while it runs");
    this.isDestroyed = true;
  }
}
