import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import type { Owner } from "../../allocs/owner.js";
import { SystemClock } from "../../clock.js";
import type { Artifact } from "../../model/artifact.js";
import { ArtifactError } from "../artifact-error.js";
import type { ArtifactOptions } from "../artifact-options.js";
import { ArtifactFetcher } from "../fetcher.js";

/** Notes how long it was to wait, and does not. */
class HastyClock extends SystemClock {
  readonly slept: number[] = [];
  override async sleep(ms: number): Promise<void> {
    this.slept.push(ms);
  }
}

const limits: ArtifactOptions = {
  maxBytes: 10 << 20,
  maxUnpackedBytes: 100 << 20,
  maxFiles: 50,
  maxRatio: 100,
  timeoutMs: 20_000,
  stallMs: 5_000,
  retries: 2,
  maxConcurrent: 4,
};

export const isRoot = process.getuid?.() === 0;
export const nobody: Owner = { uid: 65_534, gid: 65_534 };

export interface Order extends Partial<Artifact> {
  readonly owner?: Owner | null;
  readonly options?: Partial<ArtifactOptions>;
  readonly signal?: AbortSignal;
  /** Names from the allocation's directory. */
  readonly destination?: readonly string[];
}

/** A task's directory in a temporary one, and a server to fetch from. */
export class FetchScene {
  readonly dir = mkdtempSync(join(tmpdir(), "allocd-art-"));
  readonly clock = new HastyClock();
  #server: Server | undefined;

  constructor() {
    chmodSync(this.dir, 0o755);
    mkdirSync(this.local(), { recursive: true });
  }

  /** @returns its URL, without a slash at the end. */
  async serve(listener: RequestListener): Promise<string> {
    const server = createServer(listener).listen(0, "127.0.0.1");
    this.#server = server;
    await new Promise((done) => server.once("listening", done));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  serveBytes(bytes: Buffer | string): Promise<string> {
    return this.serve((_request, response) => response.end(bytes));
  }

  /** Fetches with a fetcher of its own, and expects that nothing is left of it, whatever comes of it. */
  async fetch(source: string, order: Order = {}): Promise<void> {
    try {
      await this.fetcher(order.options)(source, order);
    } finally {
      const staging = join(this.dir, "artifacts");
      expect(existsSync(staging) ? readdirSync(staging) : []).toEqual([]);
    }
  }

  /** One fetcher for several artifacts. */
  fetcher(options: Partial<ArtifactOptions> = {}): (source: string, order?: Order) => Promise<void> {
    const log = pino({ level: "silent" });
    const fetcher = new ArtifactFetcher({
      directory: join(this.dir, "artifacts"),
      options: { ...limits, ...options },
      clock: this.clock,
      log,
    });
    const alloc = join(this.dir, "alloc");
    const task = join(alloc, "t");
    const dirs = {
      alloc,
      shared: join(alloc, "alloc"),
      logs: join(alloc, "alloc/logs"),
      task,
      local: this.local(),
      secrets: join(task, "secrets"),
    };
    return (source, { owner = null, signal = new AbortController().signal, destination = ["t", "local"], options: _, ...more } = {}) =>
      fetcher.fetch({
        artifact: { ...plain, GetterSource: source, ...more },
        dirs,
        destination,
        owner,
        home: this.dir,
        progress: () => {},
        signal,
      });
  }

  local(name = ""): string {
    return join(this.dir, "alloc/t/local", name);
  }

  content(name: string): string {
    return readFileSync(this.local(name), "utf8");
  }

  async close(): Promise<void> {
    const server = this.#server;
    server?.closeAllConnections();
    if (server) await new Promise((done) => server.close(done));
    rmSync(this.dir, { recursive: true });
  }
}

const plain: Artifact = {
  GetterSource: "",
  GetterOptions: null,
  GetterHeaders: null,
  GetterMode: "any",
  GetterInsecure: false,
  RelativeDest: "local/",
  Chown: false,
};

/** The error that something is refused with. */
export async function rejection(work: Promise<void>): Promise<ArtifactError> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof ArtifactError)) throw error instanceof Error ? error : new Error("it was fetched");
  return error;
}
