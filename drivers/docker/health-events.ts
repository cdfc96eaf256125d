import type { Readable } from "node:stream";
import type Docker from "dockerode";
import type { Logger } from "pino";
import type { HealthState, RunHealth } from "../driver.js";
import { labelNames } from "./container/names.js";
import type { Engine } from "./engine/engine.js";
import { inspect } from "./exit-watch.js";
import type { WallTime } from "./wall-time.js";

export interface HealthEventsDeps {
  readonly engine: Engine;
  readonly nodeId: () => string;
  readonly time: WallTime;
  readonly log: Logger;
}

const retryMs = 2_000;
const maxOutput = 1_000;
/** Events are lines of JSON of some hundred bytes. */
const maxLine = 1024 * 1024;

/** What containers' own health checks say. One stream of the engine's events for all; none while no container has a check. */
export class HealthEvents {
  readonly #deps: HealthEventsDeps;
  readonly #watched = new Map<string, ContainerHealth>();
  #listening: AbortController | null = null;

  constructor(deps: HealthEventsDeps) {
    this.#deps = deps;
  }

  watch(containerId: string, state: HealthState): RunHealth {
    const health = new ContainerHealth(state);
    this.#watched.set(containerId, health);
    if (!this.#listening) {
      this.#listening = new AbortController();
      void this.#listen(this.#listening.signal);
    }
    return health;
  }

  forget(containerId: string): void {
    this.#watched.delete(containerId);
    if (this.#watched.size === 0) this.close();
  }

  close(): void {
    this.#listening?.abort();
    this.#listening = null;
  }

  async #listen(signal: AbortSignal): Promise<void> {
    const { engine, nodeId, time, log } = this.#deps;
    while (!signal.aborted) {
      try {
        const filters = { type: ["container"], event: ["health_status"], label: [`${labelNames.node}=${nodeId()}`] };
        const events = await engine.stream("listen to events", signal, (docker, abortSignal) =>
          docker.getEvents({ filters: JSON.stringify(filters), abortSignal }),
        );
        // What happened while nobody listened.
        await Promise.all([...this.#watched.keys()].map((id) => this.#look(id)));
        for await (const line of lines(events as Readable))
          await this.#look((JSON.parse(line) as { Actor?: { ID?: string } }).Actor?.ID ?? "");
      } catch (error) {
        if (!signal.aborted) log.debug({ err: error }, "the engine's events can not be listened to; trying again");
      }
      await time.sleep(retryMs, signal);
    }
  }

  async #look(containerId: string): Promise<void> {
    const health = this.#watched.get(containerId);
    if (!health) return;
    const { engine, time, log } = this.#deps;
    try {
      const state = healthOf((await inspect(engine, containerId)).State, time.now());
      if (state) health.set(state);
    } catch (error) {
      log.debug({ err: error, containerId }, "a container's health could not be looked at");
    }
  }
}

class ContainerHealth implements RunHealth {
  readonly #listeners: ((health: HealthState) => void)[] = [];
  #current: HealthState;

  constructor(current: HealthState) {
    this.#current = current;
  }

  get current(): HealthState {
    return this.#current;
  }

  onChange(listener: (health: HealthState) => void): void {
    this.#listeners.push(listener);
  }

  set(state: HealthState): void {
    if (state.status === this.#current.status) return;
    this.#current = state;
    for (const listener of this.#listeners) listener(state);
  }
}

/** Null: it has no health check. */
export function healthOf(state: Docker.ContainerInspectInfo["State"], now: bigint): HealthState | null {
  const health = state.Health;
  const status = health?.Status;
  if (status !== "starting" && status !== "healthy" && status !== "unhealthy") return null;
  const output = health?.Log?.at(-1)?.Output ?? "";
  return { status, since: now, output: output.slice(0, maxOutput).trim() };
}

async function* lines(source: Readable): AsyncGenerator<string> {
  let rest = "";
  for await (const chunk of source) {
    rest += String(chunk);
    if (rest.length > maxLine) throw new Error("the engine sent an event without an end");
    const parts = rest.split("\n");
    rest = parts.pop() ?? "";
    yield* parts.filter((part) => part.trim() !== "");
  }
}
