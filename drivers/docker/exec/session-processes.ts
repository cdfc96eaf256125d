import type Docker from "dockerode";
import type { Logger } from "pino";
import type { Time } from "../time.js";
import { ContainerHunt } from "./container-hunt.js";
import { endProcesses, HostHunt, type ProcessHunt } from "./process-hunt.js";

const sessionMarker = "ALLOCD_SESSION";

export interface SessionProcessesDeps {
  readonly docker: Docker;
  readonly containerId: string;
  readonly time: Time;
  readonly log: Logger;
}

/** A session's command and all that it has started, known by a mark in their environment. */
export class SessionProcesses {
  readonly #deps: SessionProcessesDeps;
  readonly #mark: string;
  readonly env: Readonly<Record<string, string>>;
  #onHost: HostHunt | undefined;
  #pid = 0;

  constructor(sessionId: string, deps: SessionProcessesDeps) {
    this.#deps = deps;
    this.env = { [sessionMarker]: sessionId };
    this.#mark = `${sessionMarker}=${sessionId}`;
  }

  /** @param pid the command's, on the engine's host. */
  started(pid: number): void {
    this.#pid = pid;
    this.#onHost = HostHunt.of(this.#mark, this.#deps.containerId, pid, "command");
  }

  /** The command's stdin, for whoever may look at it on this host. */
  get stdinPath(): string | undefined {
    return this.#onHost && `/proc/${this.#pid}/fd/0`;
  }

  /** Ends them. What can not be ended is logged: its client is gone, and its container goes on. */
  async end(): Promise<void> {
    const { log, time } = this.#deps;
    try {
      const hunt = this.#onHost ?? (await this.#hunt());
      if (hunt && !(await endProcesses(hunt, time))) log.warn("processes of an exec session do not end");
    } catch (error) {
      log.warn({ err: error }, "the processes of an exec session can not be ended");
    }
  }

  /** @returns undefined when the container has ended, and they with it. */
  async #hunt(): Promise<ProcessHunt | undefined> {
    const { docker, containerId } = this.#deps;
    const { State } = await docker.getContainer(containerId).inspect();
    if (!State.Running) return undefined;
    return HostHunt.of(this.#mark, containerId, State.Pid, "container") ?? new ContainerHunt(docker, containerId, this.#mark);
  }
}
