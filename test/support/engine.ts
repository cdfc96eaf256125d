import { spawnSync } from "node:child_process";
import { accessSync, constants, mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import type { TestAgent } from "./agent.js";
import { top } from "./command.js";
import type { StartAgent } from "./scenario.js";
import { scenario } from "./scenario.js";

const script = join(top, ".ci/scripts/engine.mjs");
const commandMs = 90_000;

/** Where the engine of a whole run of tests is; made when the first test wants it. Set before any test. */
export const sharedDirVariable = "TEST_ENGINE_DIR";

/** Why no engine can be started here; empty when it can. */
export function whyNoEngine(): string {
  if (process.getuid?.() !== 0) return "only root can start an engine";
  const missing = ["dockerd", "docker", "busybox"].find((program) => !onPath(program));
  return missing === undefined ? "" : `there is no ${missing}`;
}

const onPath = (program: string): boolean =>
  [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/sbin"].some((dir) => {
    try {
      accessSync(join(dir, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });

/** A private Docker engine with the image `busybox:local`. */
export class TestEngine {
  readonly dir: string;
  readonly #options: readonly string[];

  private constructor(dir: string, options: readonly string[]) {
    this.dir = dir;
    this.#options = options;
  }

  /** That of the whole run of tests. */
  static shared(): TestEngine {
    const dir = process.env[sharedDirVariable];
    if (!dir) throw new Error(`${sharedDirVariable} is not set`);
    const engine = new TestEngine(dir, []);
    if (spawnSync("docker", ["--host", engine.host, "version"], { stdio: "ignore" }).status !== 0) engine.start();
    return engine;
  }

  /** One for a test that ends it. It has to be stopped. */
  static own(...options: readonly string[]): TestEngine {
    return new TestEngine(mkdtempSync(join(tmpdir(), "allocd-engine-")), options).start();
  }

  get host(): string {
    return `unix://${this.dir}/docker.sock`;
  }

  start(): this {
    this.#run("start", ...this.#options);
    return this;
  }

  /** As a crash does. */
  kill(): void {
    this.#run("kill");
  }

  stop(): void {
    this.#run("stop");
  }

  /** The output of a command of Docker's own client. */
  docker(...args: readonly string[]): string {
    const { status, stdout, stderr } = spawnSync("docker", ["--host", this.host, ...args], { encoding: "utf8", maxBuffer: 1 << 28 });
    if (status !== 0) throw new Error(`docker ${args.join(" ")}: ${stderr}`);
    return stdout.trim();
  }

  // biome-ignore lint/suspicious/noExplicitAny: a test reads what it knows to be there
  inspect(container: string): any {
    return JSON.parse(this.docker("inspect", container))[0];
  }

  /** Containers, volumes and networks that somebody has made. */
  get left(): readonly string[] {
    return [
      ...lines(this.docker("ps", "-a", "--format", "container {{.Names}}")),
      ...lines(this.docker("volume", "ls", "--format", "volume {{.Name}}")),
      ...lines(this.docker("network", "ls", "--filter", "type=custom", "--format", "network {{.Name}}")),
    ];
  }

  /** Removes what a test that failed has left. */
  clear(): void {
    const ids = lines(this.docker("ps", "-aq"));
    if (ids.length > 0) this.docker("rm", "--force", "--volumes", ...ids);
  }

  #run(command: string, ...options: readonly string[]): void {
    const { status, stderr, error } = spawnSync(process.execPath, [script, command, this.dir, ...options], {
      encoding: "utf8",
      timeout: commandMs,
    });
    if (status !== 0) throw new Error(`engine ${command}: ${error?.message ?? stderr}`);
  }
}

const lines = (text: string): readonly string[] => text.split("\n").filter(Boolean);

/**
 * A scenario with agents whose containers run in a private engine. After it nothing of theirs may be left there either.
 * Where no engine can be started it is left out, which the run says, and which fails under CI=true.
 *
 * @param options those of an engine of its own; without, it has that of the whole run.
 */
export function dockerScenario(
  name: string,
  body: (start: StartAgent, engine: TestEngine) => Promise<void>,
  { seconds = 90, own }: { readonly seconds?: number; readonly own?: readonly string[] } = {},
): void {
  const why = whyNoEngine();
  if (why !== "") {
    test(`${name} (left out)`, () => {
      console.warn(`left out: ${name}: ${why}`);
      expect(process.env.CI).not.toBe("true");
    });
    return;
  }
  let engine: TestEngine;
  beforeAll(() => {
    engine = own ? TestEngine.own(...own) : TestEngine.shared();
  }, commandMs);
  afterAll(() => {
    if (own) engine.stop();
  }, commandMs);
  scenario(
    name,
    async (start) => {
      engine.clear();
      await body((options = {}) => start({ ...options, env: { DOCKER_HOST: engine.host, ...options.env } }), engine);
    },
    seconds,
    () => expect(engine.left).toEqual([]),
  );
}

/** A docker task on `busybox:local` that runs a shell script. */
export const container = (
  name: string,
  script: string,
  config: Readonly<Record<string, unknown>> = {},
  more: Readonly<Record<string, unknown>> = {},
): Readonly<Record<string, unknown>> => ({
  Name: name,
  Driver: "docker",
  Config: { image: "busybox:local", command: "/bin/sh", args: ["-c", script], ...config },
  Resources: { CPU: 5, MemoryMB: 32 },
  KillTimeout: 2_000_000_000,
  ...more,
});

/** The whole log of a task, over all its files. */
export function logOf(agent: TestAgent, allocId: string, task = "t", stream = "stdout"): string {
  const dir = join(agent.dataDir, "alloc", allocId, "alloc/logs");
  return readdirSync(dir)
    .filter((file) => file.startsWith(`${task}.${stream}.`))
    .sort((x, y) => Number(x.split(".").at(-1)) - Number(y.split(".").at(-1)))
    .map((file) => readFileSync(join(dir, file), "utf8"))
    .join("");
}
