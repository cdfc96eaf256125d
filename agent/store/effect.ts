import type { Allocation } from "../model/allocation.js";
import type { Deployment } from "../model/deployment.js";
import type { Evaluation } from "../model/evaluation.js";
import type { Job } from "../model/job.js";
import type { Namespace } from "../model/namespace.js";
import type { Node } from "../model/node.js";
import type { ScalingEvents } from "../model/scaling.js";
import type { SchedulerConfig } from "../model/scheduler-config.js";
import type { ServiceRegistration } from "../model/service-registration.js";
import type { SealedVariable } from "../model/variable.js";
import { variableKey } from "../model/variable.js";
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
  | { readonly kind: "job-version"; readonly job: Job; readonly isCurrent: boolean; readonly versions: readonly Job[] }
  | { readonly kind: "periodic-launch"; readonly namespace: string; readonly id: string; readonly launch: number }
  | { readonly kind: "namespace"; readonly namespace: Namespace }
  | { readonly kind: "namespace-delete"; readonly name: string }
  | { readonly kind: "eval"; readonly eval: Evaluation }
  | { readonly kind: "eval-delete"; readonly id: string }
  | { readonly kind: "deployment"; readonly deployment: Deployment }
  | { readonly kind: "deployment-delete"; readonly id: string }
  | { readonly kind: "node"; readonly node: Node }
  | { readonly kind: "acl"; readonly change: AclChange }
  | { readonly kind: "scaling-events"; readonly namespace: string; readonly id: string; readonly events: ScalingEvents }
  | { readonly kind: "scheduler-config"; readonly config: SchedulerConfig }
  | { readonly kind: "service"; readonly service: ServiceRegistration }
  | { readonly kind: "service-delete"; readonly id: string }
  | { readonly kind: "variable"; readonly variable: SealedVariable }
  | { readonly kind: "variable-delete"; readonly namespace: string; readonly path: string }
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
    case "job-version":
    case "scaling-events":
      return "jobs";
    case "namespace":
    case "namespace-delete":
      return "namespaces";
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
    case "service":
    case "service-delete":
      return "services";
    case "variable":
    case "variable-delete":
      return "vars";
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
    case "namespace":
      return `namespace:${effect.namespace.Name}`;
    case "namespace-delete":
      return `namespace:${effect.name}`;
    case "job":
    case "job-version":
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
    case "variable":
      return `var:${variableKey(effect.variable.Namespace, effect.variable.Path)}`;
    case "variable-delete":
      return `var:${variableKey(effect.namespace, effect.path)}`;
    default:
      return undefined;
  }
}
