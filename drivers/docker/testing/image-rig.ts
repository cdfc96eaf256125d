import { setTimeout as pause } from "node:timers/promises";
import { type FoundImage, type ImageRequest, ImageStore, type ImageStoreOptions } from "../images/image-store.js";
import type { Time } from "../time.js";
import { describeWithEngine, type PrivateEngine, quiet } from "./engine.js";
import { TestRegistry } from "./registry.js";

export const delayMs = 180_000;
const untilMs = 15_000;

/** A store with an engine and a registry of its own. */
export class ImageRig<T extends Time> {
  readonly registry: TestRegistry;
  readonly engine: PrivateEngine;
  time: T;
  store: ImageStore;
  /** What tasks were told. */
  readonly said: string[] = [];
  readonly #newTime: () => T;
  readonly #made = new Set<ImageStore>();
  #serial = 0;

  constructor(engine: PrivateEngine, registry: TestRegistry, newTime: () => T) {
    this.engine = engine;
    this.registry = registry;
    this.#newTime = newTime;
    this.time = newTime();
    this.store = this.make();
  }

  reset(): void {
    this.time = this.#newTime();
    this.store = this.make();
    this.registry.reset();
    this.said.length = 0;
  }

  make(change: Partial<ImageStoreOptions> = {}, time: Time = this.time): ImageStore {
    const store = new ImageStore({
      docker: async () => this.engine.docker,
      log: quiet,
      time,
      options: {
        gc: { enabled: true, delayMs },
        auth: { config: "", helper: "", env: {} },
        stallMs: 120_000,
        progressMs: 120_000,
        ...change,
      },
    });
    this.#made.add(store);
    return store;
  }

  async closeStores(): Promise<void> {
    for (const store of this.#made) await store.close();
    this.#made.clear();
  }

  ensure(image: string, change: Partial<ImageRequest> = {}, signal?: AbortSignal, store = this.store): Promise<FoundImage> {
    const request = { image, forcePull: false, pullTimeoutMs: 0, owner: "task", ...change };
    return store.ensure(request, (message) => this.said.push(message), signal);
  }

  /** An image that no engine has. */
  fresh(tag?: string): string {
    this.#serial += 1;
    return this.registry.add(`test/image-${this.#serial}`, tag);
  }

  /** Gives a name of `fresh` to another image. */
  moveTag(image: string): void {
    const [, repository = "", tag] = /^[^/]+\/(.+):(\w+)$/.exec(image) ?? [];
    this.registry.add(repository, tag);
  }

  isHere(image: string): Promise<boolean> {
    return this.engine.docker
      .getImage(image)
      .inspect()
      .then(
        () => true,
        () => false,
      );
  }

  /** Layers stop coming in their midst. */
  stall(): void {
    this.registry.fault = { stallAfter: 50_000 };
  }

  untilStalled(): Promise<void> {
    return until("the layers to stall", () => this.registry.stalled > 0);
  }

  goOn(): void {
    this.registry.fault = {};
    this.registry.goOn();
  }
}

export function describeImages<T extends Time>(name: string, newTime: () => T, body: (rig: () => ImageRig<T>) => void): void {
  describeWithEngine(name, (engine) => {
    let rig: ImageRig<T>;
    beforeAll(async () => {
      rig = new ImageRig(engine(), await TestRegistry.start(), newTime);
    });
    beforeEach(() => rig.reset());
    afterEach(() => rig.closeStores());
    afterAll(() => rig.registry.close());
    body(() => rig);
  });
}

export async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = Date.now() + untilMs; !(await condition()); await pause(10))
    if (Date.now() > end) throw new Error(`not within ${untilMs} ms: ${what}`);
}
