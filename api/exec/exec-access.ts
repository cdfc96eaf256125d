import type { IncomingMessage } from "node:http";
import { BadToken } from "../../agent/errors.js";
import type { Allocation } from "../../agent/model/allocation.js";
import type { StateReader } from "../../agent/store/state-store.js";
import { authorise } from "../acl/authorise.js";
import type { Authority } from "../acl/authority.js";
import { type Caller, denied } from "../acl/caller.js";
import { ExecRefused, type ExecRequest } from "./exec-request.js";

const path = "/v1/client/allocation/:id/exec";

/** Who may start a command beside which task. */
export class ExecAccess {
  readonly #authority: Authority;
  readonly #store: StateReader;
  readonly #runsOnHost: (driver: string) => boolean;

  /** @param deps.runsOnHost whether a driver's commands see the whole host, so that one beside a task is one on the host. */
  constructor(deps: { readonly authority: Authority; readonly store: StateReader; readonly runsOnHost: (driver: string) => boolean }) {
    this.#authority = deps.authority;
    this.#store = deps.store;
    this.#runsOnHost = deps.runsOnHost;
  }

  /** @param handshake the token of the first message. @throws ExecRefused with the reference's code and text. Source: reference behaviour §2.2. */
  callerOf(request: IncomingMessage, handshake: string | undefined): Caller {
    try {
      return this.#authority.callerOf(request, handshake);
    } catch (error) {
      if (error instanceof BadToken) throw new ExecRefused(1008, error.message);
      throw error;
    }
  }

  /** @throws ExecRefused or AllocdError, before and whether or not the allocation is there. */
  check(caller: Caller, { allocId, task }: ExecRequest): void {
    const { acl } = caller;
    if (acl.isManagement) return;
    authorise("alloc:alloc-exec", acl, { path, id: allocId, namespace: "default" }, this.#store);
    const alloc = this.#store.alloc(allocId.toLowerCase());
    const driver = alloc === undefined ? undefined : driverOf(alloc, task);
    if (alloc !== undefined && driver !== undefined && this.#runsOnHost(driver) && !acl.allows("alloc-node-exec", alloc.Namespace))
      throw denied();
  }
}

const driverOf = (alloc: Allocation, task: string): string | undefined =>
  alloc.Job.TaskGroups.find(({ Name }) => Name === alloc.TaskGroup)?.Tasks.find(({ Name }) => Name === task)?.Driver;
