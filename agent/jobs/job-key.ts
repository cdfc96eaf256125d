import type { StateReader } from "../store/state-store.js";
import type { JobRecords } from "./retention.js";

/** A job by its name. */
export interface JobKey {
  readonly namespace: string;
  readonly id: string;
}

/** The key under which work on a job is serialised. */
export const keyText = ({ namespace, id }: JobKey): string => `job:${namespace}/${id}`;

export const recordsOf = (store: StateReader, { namespace, id }: JobKey): JobRecords => ({
  job: store.job(namespace, id),
  allocs: store.allocsOfJob(namespace, id),
  evals: store.evalsOfJob(namespace, id),
  deployments: store.deploymentsOfJob(namespace, id),
});
