import type { TaskRun } from "../../drivers/driver.js";
import type { Clock } from "../clock.js";
import type { CheckSummary } from "../model/alloc-health.js";
import type { Allocation } from "../model/allocation.js";
import { asksForRestart, type CheckTally, countForRestart, countOutcome, newTally, summariseChecks } from "../model/check-status.js";
import { interpolateText, type Lookup } from "../model/interpolate.js";
import type { Service, ServiceCheck, TaskGroup } from "../model/job.js";
import { sameJson } from "../model/same-json.js";
import { MILLISECOND, type UnixNano } from "../model/units.js";
import type { Slots } from "../slots.js";
import { checkId } from "./check-id.js";
import { loopCheck } from "./check-loop.js";
import type { Probe, ProbeResult } from "./probe.js";

/** One element of GET /v1/client/allocation/:id/checks. Source: reference behaviour §10 and its sample. */
export interface CheckResult {
  readonly Check: string;
  readonly Group: string;
  readonly ID: string;
  readonly Mode: "healthiness" | "readiness";
  readonly Output: string;
  readonly Service: string;
  readonly Status: "pending" | "success" | "failure";
  readonly StatusCode?: number;
  readonly Task?: string;
  /** Unix seconds. */
  readonly Timestamp: number;
}

export interface AllocChecksDeps {
  readonly clock: Clock;
  readonly slots: Slots;
  /** How a check looks; null for the group's own services is the owner. */
  readonly probe: (service: Service, check: ServiceCheck, owner: string | null, run: TaskRun | null) => Probe;
  readonly lookup: (owner: string | null) => Lookup;
  /** How the checks stand together has changed. */
  readonly changed: () => void;
  /** Asks for a restart of a task, or of all that run when it is a check of the group's. */
  readonly restart: (task: string | null, reason: string) => void;
}

/** One check of one service. */
interface Entry {
  readonly id: string;
  readonly service: Service;
  readonly check: ServiceCheck;
  /** The task whose service it is; null for the group's. */
  readonly owner: string | null;
  tally: CheckTally;
  output: string;
  code: number;
  at: UnixNano;
  /** Failures in a row that count for a restart. */
  restartCount: number;
  stop: (() => void) | null;
}

const nsPerSecond = 1_000_000_000n;
/** Source: reference behaviour §10. */
const notYet = "nomad: waiting to run";

/** The checks of one allocation's services: they look while what they look at runs, and are pending otherwise. */
export class AllocChecks {
  readonly #deps: AllocChecksDeps;
  #alloc: Allocation;
  #entries: readonly Entry[];
  #summary: CheckSummary | null = null;
  #isClosed = false;

  constructor(deps: AllocChecksDeps, alloc: Allocation, group: TaskGroup) {
    this.#deps = deps;
    this.#alloc = alloc;
    this.#entries = this.#entriesOf(alloc, group, []);
    this.#summarise();
  }

  /** The definitions may have changed without a restart. Checks that are as they were go on. */
  update(alloc: Allocation, group: TaskGroup): void {
    this.#alloc = alloc;
    const before = this.#entries;
    this.#entries = this.#entriesOf(alloc, group, before);
    for (const entry of before) if (!this.#entries.includes(entry)) entry.stop?.();
    this.#look();
  }

  get summary(): CheckSummary | null {
    return this.#summary;
  }

  /** Null when there are none, or the allocation is over. Source: reference behaviour §10. */
  get results(): Readonly<Record<string, CheckResult>> | null {
    if (this.#isClosed || this.#entries.length === 0) return null;
    return Object.fromEntries(this.#entries.map((entry) => [entry.id, this.#resultOf(entry)]));
  }

  /**
   * What the checks of an owner look at runs now. Those that are under way already go on.
   *
   * @param runOf the run of a task, for scripts.
   * @param isKnown it has been running for a while: the first look need not wait.
   */
  start(owner: string | null, runOf: (task: string) => TaskRun | null, isKnown: boolean): void {
    if (this.#isClosed) return;
    for (const entry of this.#entries) {
      if (entry.owner !== owner || entry.stop) continue;
      const { check, service } = entry;
      const probe = this.#deps.probe(service, check, owner, check.TaskName === "" ? null : runOf(check.TaskName));
      const { clock, slots } = this.#deps;
      const ended = new AbortController();
      const since = clock.monotonicMs();
      entry.stop = () => {
        entry.stop = null;
        ended.abort("over");
      };
      // Source: reference behaviour §10: a new task has half an interval until the first look.
      const firstMs = isKnown ? 0 : Number(check.Interval) / MILLISECOND / 2;
      const report = (result: ProbeResult): void => this.#report(entry, result, (clock.monotonicMs() - since) * MILLISECOND);
      void loopCheck({ check, probe, clock, slots, report, firstMs }, ended.signal);
    }
  }

  /** It does not run any more: nothing is known of it until it does. */
  stop(owner: string | null): void {
    const under = this.#entries.filter((entry) => entry.owner === owner && entry.stop !== null);
    for (const entry of under) {
      entry.stop?.();
      Object.assign(entry, this.#fresh(entry.check));
    }
    if (under.length > 0) this.#look();
  }

  /** Ends all of them for good. */
  close(): void {
    this.#isClosed = true;
    for (const entry of this.#entries) entry.stop?.();
  }

  #report(entry: Entry, { outcome, output, code }: ProbeResult, age: number): void {
    const before = entry.tally.status;
    entry.tally = countOutcome(entry.check, entry.tally, outcome);
    const { status } = entry.tally;
    // What is shown belongs to the status: a result that did not move it yet says something else.
    if (status === outcome) {
      entry.output = output;
      entry.code = code;
      entry.at = this.#deps.clock.now();
    }
    if (status !== before) this.#look();
    this.#considerRestart(entry, age);
  }

  #considerRestart(entry: Entry, age: number): void {
    const policy = entry.check.CheckRestart;
    if (!policy) return;
    entry.restartCount = countForRestart(policy, entry.restartCount, entry.tally.status, age);
    if (!asksForRestart(policy, entry.restartCount)) return;
    entry.restartCount = 0;
    this.#deps.restart(entry.owner, `healthcheck: check ${JSON.stringify(this.#nameOf(entry))} unhealthy`);
  }

  #look(): void {
    if (this.#isClosed) return;
    this.#summarise();
    this.#deps.changed();
  }

  #summarise(): void {
    const checks = this.#entries.map(({ check, tally }) => ({ check, status: tally.status }));
    this.#summary = summariseChecks(checks, this.#summary?.passingSince ?? null, this.#deps.clock.now());
  }

  #entriesOf(alloc: Allocation, group: TaskGroup, known: readonly Entry[]): readonly Entry[] {
    const of = (services: readonly Service[] | null, owner: string | null): readonly Entry[] =>
      (services ?? []).flatMap((service) =>
        (service.Checks ?? []).map((check) => {
          const id = checkId(alloc, service, check);
          const same = known.find((entry) => entry.id === id && isSame(entry, owner, service, check));
          return same ?? { id, service, check, owner, stop: null, ...this.#fresh(check) };
        }),
      );
    return [...of(group.Services, null), ...group.Tasks.flatMap((task) => of(task.Services, task.Name))];
  }

  #fresh(check: ServiceCheck) {
    return { tally: newTally(check), output: notYet, code: 0, at: this.#deps.clock.now(), restartCount: 0 };
  }

  #nameOf({ check, owner }: Entry): string {
    return interpolateText(check.Name, this.#deps.lookup(owner));
  }

  #resultOf(entry: Entry): CheckResult {
    const { id, service, check, owner, tally, output, code, at } = entry;
    return {
      Check: this.#nameOf(entry),
      Group: this.#alloc.Name,
      ID: id,
      Mode: check.OnUpdate === "ignore" ? "readiness" : "healthiness",
      Output: output,
      Service: interpolateText(service.Name, this.#deps.lookup(owner)),
      // Nomad's checks know no warning.
      Status: tally.status === "warning" ? "failure" : tally.status,
      ...(code > 0 ? { StatusCode: code } : {}),
      ...(owner === null ? {} : { Task: owner }),
      Timestamp: Number(at / nsPerSecond),
    };
  }
}

/** Tags and the like are none of a check's business. */
const isSame = (entry: Entry, owner: string | null, service: Service, check: ServiceCheck): boolean =>
  entry.owner === owner &&
  entry.service.PortLabel === service.PortLabel &&
  entry.service.Address === service.Address &&
  sameJson(entry.check, check);
