import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import type { Driver } from "../../../drivers/driver.js";
import type { Allocation, DesiredAllocation } from "../../model/allocation.js";
import type { JobType, Task, TaskGroup } from "../../model/job.js";
import type { TaskEvent, TaskState } from "../../model/task-state.js";
import { MemoryStore } from "../../store/memory-store.js";
import { AllocSupervisor } from "../alloc-supervisor.js";
import type { TaskHook } from "../hooks/task-hook.js";
import { basicTaskHooks } from "../hooks/task-hooks.js";
import { FakeClock, settle } from "./fake-clock.js";
import { FakeDriver } from "./fake-driver.js";
import { aGroup, aJob, aNode, anAlloc } from "./fixtures.js";

const patienceMs = 5_000;

export interface RunOptions {
  readonly type?: JobType;
  readonly group?: Partial<TaskGroup>;
  readonly alloc?: Partial<DesiredAllocation>;
}

/** An agent's supervisor on a store without a disk, a clock that the test turns and a driver that does as it is told. */
export class Rig {
  readonly dataDir = mkdtempSync(join(tmpdir(), "allocd-rig-"));
  readonly clock = new FakeClock();
  readonly driver = new FakeDriver();
  /** Called where the disk would be written. */
  beforeWrite: () => Promise<void> = async () => {};
  readonly store = new MemoryStore({ clock: this.clock, log: pino({ level: "silent" }) }, () => this.beforeWrite());
  node = aNode;
  readonly #taskHooks: () => readonly TaskHook[];
  supervisor: AllocSupervisor;

  constructor(taskHooks: () => readonly TaskHook[] = basicTaskHooks) {
    this.#taskHooks = taskHooks;
    this.supervisor = this.#supervisor();
  }

  #supervisor(): AllocSupervisor {
    return new AllocSupervisor({
      store: this.store,
      drivers: new Map<string, Driver>([["fake", this.driver]]),
      node: () => this.node,
      clock: this.clock,
      log: pino({ level: "silent" }),
      dataDir: this.dataDir,
      taskHooks: this.#taskHooks,
      options: { random: () => 0, hostEnv: {}, envDenylist: [] },
    });
  }

  /** Ends the agent and starts the next one on what is stored. */
  async replaceAgent(meanwhile: () => Promise<void> | void = () => {}): Promise<void> {
    await this.supervisor.stop();
    await meanwhile();
    this.supervisor = this.#supervisor();
    await this.supervisor.start();
    await settle();
  }

  /** Places an allocation of these tasks and lets everything happen that follows. @returns its id. */
  async run(tasks: readonly Task[], { type = "batch", group = {}, alloc = {} }: RunOptions = {}): Promise<string> {
    return this.place(anAlloc(aJob(aGroup(tasks, group), type), alloc));
  }

  async place(alloc: DesiredAllocation): Promise<string> {
    await this.store.commit([{ kind: "alloc-create", alloc }]);
    await settle();
    return alloc.ID;
  }

  async desire(id: string, patch: Partial<DesiredAllocation>): Promise<void> {
    await this.store.commit([{ kind: "alloc-desired", id, patch }]);
    await settle();
  }

  async stop(id: string): Promise<void> {
    await this.desire(id, { DesiredStatus: "stop" });
  }

  alloc(id: string): Allocation {
    const alloc = this.store.alloc(id);
    if (!alloc) throw new Error(`no allocation ${id}`);
    return alloc;
  }

  task(id: string, name: string): TaskState {
    const state = this.alloc(id).TaskStates?.[name];
    if (!state) throw new Error(`nothing is known of task ${name}`);
    return state;
  }

  types(id: string, name: string): readonly string[] {
    return this.task(id, name).Events.map((event) => event.Type);
  }

  event(id: string, name: string, type: string): TaskEvent {
    const event = this.task(id, name).Events.find((e) => e.Type === type);
    if (!event) throw new Error(`no ${type} among ${this.types(id, name).join()}`);
    return event;
  }

  /** Ends the latest run of a task. */
  async exit(task: string, exitCode: number): Promise<void> {
    this.driver.last(task).exit(exitCode);
    await settle();
  }

  /** Waits for what takes real time, such as the removal of files. */
  async until(what: string, holds: () => boolean): Promise<void> {
    for (const end = Date.now() + patienceMs; !holds(); await settle()) {
      if (Date.now() > end) throw new Error(`waited too long for ${what}`);
    }
  }

  async close(): Promise<void> {
    await this.supervisor.stop();
    await this.store.close();
    rmSync(this.dataDir, { recursive: true, force: true });
  }
}
