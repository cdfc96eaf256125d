import { randomUUID } from "node:crypto";
import type { Clock } from "../clock.js";
import { AllocdError } from "../errors.js";
import type { Job } from "../model/job.js";
import { dispatchChildId, MAX_PAYLOAD_BYTES, type ParameterizedConfig, parameterizedOf } from "../model/parent-job.js";
import type { StateStore } from "../store/state-store.js";
import { refuseWhenClosed } from "./closed.js";
import type { JobLauncher, Launch } from "./job-launcher.js";
import type { Scheduler } from "./scheduler.js";

export interface DispatchRequest {
  readonly payload: Buffer;
  readonly meta: Readonly<Record<string, string>>;
  /** What the child's id has before the time. */
  readonly idPrefix: string;
  /** A repeat with the same one launches nothing. Empty: none. */
  readonly idempotencyToken: string;
  /** Undefined: the parent's. */
  readonly priority: number | undefined;
}

export interface Dispatched extends Launch {
  readonly DispatchedJobID: string;
}

export interface DispatcherDeps {
  readonly store: StateStore;
  readonly clock: Clock;
  readonly launcher: JobLauncher;
  readonly scheduler: Pick<Scheduler, "exclusive">;
}

/** Launches parameterized jobs. Source of the texts: Nomad's Job.Dispatch. */
export class Dispatcher {
  readonly #deps: DispatcherDeps;

  constructor(deps: DispatcherDeps) {
    this.#deps = deps;
  }

  /**
   * @returns the child, or the earlier one when the token was used before.
   * @throws AllocdError `not-found` without such a job; `invalid` for one that takes no dispatch or not this one; `conflict`
   *   when it is stopped.
   */
  dispatch(namespace: string, id: string, request: DispatchRequest): Promise<Dispatched> {
    const { store, clock, launcher, scheduler } = this.#deps;
    // With the parent's lock, so that of two calls with one token the second finds the first's child.
    return scheduler.exclusive({ namespace, id }, async () => {
      refuseWhenClosed(store);
      const parent = store.job(namespace, id);
      if (!parent) throw new AllocdError("not-found", "parameterized job not found");
      const config = parameterizedOf(parent);
      if (!config) throw new AllocdError("invalid", `Specified job "${id}" is not a parameterized job`);
      if (parent.Stop) throw new AllocdError("conflict", `Specified job "${id}" is stopped`);
      checkRequest(config, request);
      const earlier = this.#earlier(parent, request.idempotencyToken);
      if (earlier) return earlier;
      const seconds = Number(clock.now() / 1_000_000_000n);
      const child = childOf(parent, dispatchChildId(id, request.idPrefix, seconds, randomUUID()), request);
      return { ...(await launcher.launch(child, "job-register")), DispatchedJobID: child.ID };
    });
  }

  #earlier(parent: Job, token: string): Dispatched | undefined {
    const { store } = this.#deps;
    if (token === "") return undefined;
    const job = store.childrenOfJob(parent.Namespace, parent.ID).find((child) => child.DispatchIdempotencyToken === token);
    if (!job) return undefined;
    const evaluation = store.evalsOfJob(job.Namespace, job.ID).find(({ CreateIndex }) => CreateIndex === job.CreateIndex);
    return {
      DispatchedJobID: job.ID,
      EvalID: evaluation?.ID ?? "",
      EvalCreateIndex: evaluation?.CreateIndex ?? 0,
      JobCreateIndex: job.CreateIndex,
      Index: job.ModifyIndex,
    };
  }
}

function childOf(parent: Job, ID: string, { payload, meta, idempotencyToken, priority }: DispatchRequest): Job {
  const merged = { ...parent.Meta, ...meta };
  return {
    ...parent,
    ID,
    Name: ID,
    ParentID: parent.ID,
    Dispatched: true,
    DispatchIdempotencyToken: idempotencyToken,
    Priority: priority ?? parent.Priority,
    Meta: Object.keys(merged).length > 0 ? merged : null,
    Payload: payload.length > 0 ? payload.toString("base64") : null,
  };
}

function checkRequest({ Payload, MetaRequired, MetaOptional }: ParameterizedConfig, { payload, meta }: DispatchRequest): void {
  const refuse = (why: string): never => {
    throw new AllocdError("invalid", why);
  };
  if (Payload === "required" && payload.length === 0) refuse("Payload is not provided but required by parameterized job");
  if (Payload === "forbidden" && payload.length > 0) refuse("Payload provided but forbidden by parameterized job");
  if (payload.length > MAX_PAYLOAD_BYTES) refuse(`Payload exceeds maximum size; ${payload.length} > ${MAX_PAYLOAD_BYTES}`);
  const permitted = new Set([...(MetaRequired ?? []), ...(MetaOptional ?? [])]);
  const strange = Object.keys(meta).filter((key) => !permitted.has(key));
  if (strange.length > 0) refuse(`Dispatch request included unpermitted metadata keys: ${JSON.stringify(strange)}`);
  const lacking = (MetaRequired ?? []).filter((key) => !Object.hasOwn(meta, key));
  if (lacking.length > 0) refuse(`Dispatch did not provide required meta keys: ${JSON.stringify(lacking)}`);
}
