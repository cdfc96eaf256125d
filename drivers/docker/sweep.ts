import { readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Logger } from "pino";
import type { AllocLookup } from "../driver.js";
import { labelNames } from "./container/names.js";
import type { Engine } from "./engine/engine.js";
import { isGone } from "./engine/engine-error.js";
import type { DockerOptions } from "./options.js";
import type { WallTime } from "./wall-time.js";

export interface SweepDeps {
  readonly engine: Engine;
  readonly nodeId: () => string;
  readonly options: DockerOptions["gc"]["dangling"];
  /** Whether a run is there, or being started. */
  readonly isLive: (runId: string) => boolean;
  /** Where the positions of logs are kept. */
  readonly positionDir: string;
  readonly time: WallTime;
  readonly log: Logger;
}

/** Removes containers of this node that belong to no allocation, from time to time. Source: reference behaviour §6.9. */
export class Sweep {
  readonly #deps: SweepDeps;

  constructor(deps: SweepDeps) {
    this.#deps = deps;
  }

  /** Until the signal is aborted. */
  async keepClean(allocs: AllocLookup, signal: AbortSignal): Promise<void> {
    const { options, time, log } = this.#deps;
    if (!options.enabled) return;
    while (!signal.aborted) {
      await this.sweep(allocs).catch((error: unknown) => log.warn({ err: error }, "dangling containers could not be looked for"));
      await time.sleep(options.periodMs, signal);
    }
  }

  /** Other agents' containers carry another node's id; those that nobody labelled are none of ours. */
  async sweep(allocs: AllocLookup): Promise<void> {
    const { engine, nodeId, options, isLive, time, log } = this.#deps;
    if (!engine.mayAnswer) return;
    const filters = JSON.stringify({ label: [`${labelNames.node}=${nodeId()}`] });
    const containers = await engine.call("list containers", (docker, abortSignal) =>
      docker.listContainers({ all: true, filters, abortSignal }),
    );
    const youngest = Number(time.now() / 1_000_000n) - options.graceMs;
    for (const { Id, Names, Labels, Created } of containers) {
      const allocId = Labels[labelNames.alloc];
      if (allocId === undefined || allocs.isOpen(allocId) || isLive(Labels[labelNames.run] ?? "") || Created * 1000 > youngest) continue;
      log.info({ containerId: Id, name: Names[0], allocId, dryRun: options.dryRun }, "container belongs to no allocation: removing it");
      if (options.dryRun) continue;
      await engine
        .call("remove container", (docker, abortSignal) => docker.getContainer(Id).remove({ force: true, v: true, abortSignal }))
        .catch((error: unknown) => {
          if (!isGone(error)) log.warn({ err: error, containerId: Id }, "a dangling container could not be removed");
        });
    }
    this.#forgetPositions(new Set(containers.map(({ Id }) => Id)), youngest);
  }

  #forgetPositions(there: ReadonlySet<string>, youngestMs: number): void {
    const { positionDir } = this.#deps;
    for (const name of readdirSync(positionDir)) {
      const file = join(positionDir, name);
      const changed = statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
      if (!there.has(name.slice(0, name.indexOf("."))) && changed < youngestMs) rmSync(file, { force: true });
    }
  }
}
