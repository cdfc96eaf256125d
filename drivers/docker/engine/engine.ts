import { readFileSync, statSync } from "node:fs";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import type Docker from "dockerode";
import type { DockerOptions } from "../options.js";
import { engineError } from "./engine-error.js";

export type Endpoint = Pick<DockerOptions, "endpoint" | "tls" | "callTimeoutMs">;

const defaultSocket = "/var/run/docker.sock";

/** The way to the engine. The client library is loaded when it is first needed: a host without an engine never pays for it. */
export class Engine {
  readonly #options: Endpoint;
  readonly #address: URL;
  #docker: Promise<Docker> | undefined;

  /** @throws Error for an endpoint that is none. */
  constructor(options: Endpoint, env: Readonly<Record<string, string | undefined>>) {
    this.#options = options;
    this.#address = address(options.endpoint || env.DOCKER_HOST || `unix://${defaultSocket}`);
  }

  get endpoint(): string {
    return this.#address.href;
  }

  /** Whether there is anything to ask: a socket that does not exist needs no call. */
  get mayAnswer(): boolean {
    return this.#address.protocol !== "unix:" || statSync(this.#address.pathname, { throwIfNoEntry: false }) !== undefined;
  }

  /** The client itself, without a time limit: for what streams. */
  docker(): Promise<Docker> {
    this.#docker ??= this.#connect().catch((error: unknown) => {
      // A certificate that is not there may come.
      this.#docker = undefined;
      throw error;
    });
    return this.#docker;
  }

  /**
   * One call with a time limit of its own.
   *
   * @param what the call as an error names it, such as "start container".
   * @throws EngineError.
   */
  async call<T>(what: string, work: (docker: Docker, abortSignal: AbortSignal) => Promise<T>, timeoutMs?: number): Promise<T> {
    const limit = timeoutMs ?? this.#options.callTimeoutMs;
    const late = new AbortController();
    let timer: NodeJS.Timeout | undefined;
    // Not all methods of the client can be aborted.
    const isLate = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        reject(new DOMException("no answer in time", "TimeoutError"));
        late.abort();
      }, limit);
    });
    try {
      return await Promise.race([this.docker().then((docker) => work(docker, late.signal)), isLate]);
    } catch (error) {
      throw engineError(what, error, limit);
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * A call whose answer is a stream: the limit is for its beginning.
   *
   * @param signal ends the stream.
   * @throws EngineError.
   */
  async stream<T>(what: string, signal: AbortSignal, open: (docker: Docker, abortSignal: AbortSignal) => Promise<T>): Promise<T> {
    const limit = this.#options.callTimeoutMs;
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), limit);
    try {
      return await open(await this.docker(), AbortSignal.any([late.signal, signal]));
    } catch (error) {
      throw engineError(what, error, limit);
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * A container's log as far as it goes now, with timestamps. The client library has it as a stream only while it is followed:
   * else as one text in memory.
   *
   * @param since seconds and nanoseconds; "0" is all.
   * @throws EngineError.
   */
  log(containerId: string, since: string, signal: AbortSignal): Promise<Readable> {
    const options = { stdout: true, stderr: true, timestamps: true, since };
    return this.#answer("read container's log", "GET", `/containers/${containerId}/logs?`, options, signal);
  }

  /**
   * Waits for as long as it takes. The client library's own wait never ends when the engine does: it has sent the head of its
   * answer by then.
   *
   * @returns the container's exit code.
   * @throws EngineError.
   */
  async wait(containerId: string, condition: "next-exit" | "not-running", signal: AbortSignal): Promise<number> {
    const what = "wait for container";
    const answer = await this.#answer(what, "POST", `/containers/${containerId}/wait?`, { condition }, signal);
    try {
      const { StatusCode } = JSON.parse(await text(answer)) as { readonly StatusCode: number };
      return StatusCode;
    } catch (error) {
      throw engineError(what, error, 0);
    }
  }

  /** The body of an answer as it comes. */
  #answer(what: string, method: string, path: string, options: object, signal: AbortSignal): Promise<Readable> {
    const statusCodes = { 200: true, 404: "no such container", 500: "server error" } as const;
    return this.stream(what, signal, ({ modem }, abortSignal) => {
      const request = { path, method, isStream: true, statusCodes, options, abortSignal };
      return new Promise<Readable>((resolve, reject) => {
        modem.dial(request, (error: unknown, stream: unknown) => (error ? reject(error as Error) : resolve(stream as Readable)));
      });
    });
  }

  async #connect(): Promise<Docker> {
    const { default: Client } = await import("dockerode");
    const { protocol, hostname, port, pathname } = this.#address;
    if (protocol === "unix:") return new Client({ socketPath: pathname });
    const { cert, key, ca } = this.#options.tls;
    const isSecure = cert !== "" || ca !== "" || protocol === "https:";
    return new Client({
      protocol: isSecure ? "https" : "http",
      host: hostname,
      port: port || (isSecure ? 2376 : 2375),
      ...(cert === "" ? {} : { cert: readFileSync(cert) }),
      ...(key === "" ? {} : { key: readFileSync(key) }),
      ...(ca === "" ? {} : { ca: readFileSync(ca) }),
    });
  }
}

function address(given: string): URL {
  const text = given.startsWith("/") ? `unix://${given}` : given;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !["unix:", "tcp:", "http:", "https:"].includes(url.protocol))
    throw new Error(`drivers.docker.endpoint: got ${JSON.stringify(given)}, want unix:///path or tcp://host:port`);
  return url;
}
