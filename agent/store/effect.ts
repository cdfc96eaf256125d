import type { Allocation } from "../model/allocation.js";
import type { Deployment } from "../model/deployment.js";
import type { Evaluation } from "../model/evaluation.js";
import type { Job } from "../model/job.js";
import type { Node } from "../model/node.js";
import type { AclChange } from "./acl-table.js";
import type { NewTaskEvent, StoredHandle, TableName } from "./state-store.js";

/**
 * What a change comes to, stamps and all: whole objects to put and keys to drop. The same effect is written to disk and
 * applied to memory, so that the two can not differ.
 */
export type Effect =
  | AllocEffect
  | { readonly kind: "alloc-delete"; readonly alloc: Allocation }
  | { readonly kind: "tombstone"; readonly id: string }
  | { readonly kind: "tombstone-delete"; readonly id: string }
  | {
      readonly kind: "job";
      readonly job: Job;
      /** Newest first, the job itself among them. */
      readonly versions: readonly Job[];
      /** Versions that are no longer kept. */
      readonly dropped: readonly number[];
    }
  | { readonly kind: "job-delete"; readonly namespace: string; readonly id: string }
  | { readonly kind: "eval"; readonly eval: Evaluation }
  | { readonly kind: "eval-delete"; readonly id: string }
  | { readonly kind: "deployment"; readonly deployment: Deployment }
  | { readonly kind: "deployment-delete"; readonly id: string }
  | { readonly kind: "node"; readonly node: Node }
  | { readonly kind: "acl"; readonly change: AclChange }
  | { readonly kind: "task-handle"; readonly allocId: string; readonly task: string; readonly handle: StoredHandle | null };

export interface AllocEffect {
  readonly kind: "alloc";
  readonly alloc: Allocation;
  readonly before: Allocation | undefined;
  /** Tasks whose state is another one. */
  readonly tasks: readonly string[];
  readonly events: readonly NewTaskEvent[];
  /** Which members changed besides: an observed change leaves the desired ones as they are on disk. */
  readonly desired: boolean;
}

/** A job's key in tables and in watch keys. */
export const jobKey = (namespace: string, id: string): string => `${namespace}/${id}`;

/** The table whose index the effect moves. */
export function tableOf(effect: Effect): TableName | undefined {
  switch (effect.kind) {
    case "alloc":
    case "alloc-delete":
      return "allocs";
    case "job":
    case "job-delete":
      return "jobs";
    case "eval":
    case "eval-delete":
      return "evals";
    case "deployment":
    case "deployment-delete":
      return "deployments";
    case "node":
      return "nodes";
    case "acl":
      return "acl";
    default:
      return undefined;
  }
}

/** What the effect wakes, besides its table. */
export function watchKeyOf(effect: Effect): string | undefined {
  switch (effect.kind) {
    case "alloc":
    case "alloc-delete":
      return `alloc:${effect.alloc.ID}`;
    case "job":
      return `job:${jobKey(effect.job.Namespace, effect.job.ID)}`;
    case "job-delete":
      return `job:${jobKey(effect.namespace, effect.id)}`;
    case "eval":
      return `eval:${effect.eval.ID}`;
    case "eval-delete":
      return `eval:${effect.id}`;
    case "deployment":
      return `deployment:${effect.deployment.ID}`;
    case "deployment-delete":
      return `deployment:${effect.id}`;
    default:
      return undefined;
  }
}
