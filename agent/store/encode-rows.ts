import type { Allocation } from "../model/allocation.js";
import type { Evaluation } from "../model/evaluation.js";
import { encodeJson } from "../model/json.js";
import type { TaskState } from "../model/task-state.js";
import { aclKey, encodeAclBody } from "./acl-table.js";
import type { StagedCommit } from "./commit-queue.js";
import { type AllocEffect, type Effect, tableOf } from "./effect.js";
import { eventBody } from "./event-body.js";
import type { JobCopies } from "./job-copies.js";
import type { TableName } from "./state-store.js";
import type { Operation } from "./statements.js";

/** Turns a batch into the operations that write it. */
export function encodeBatch(batch: readonly StagedCommit[], jobCopies: JobCopies): readonly Operation[] {
  return new BatchEncoder(jobCopies).encode(batch);
}

class BatchEncoder {
  readonly #operations: Operation[] = [];
  readonly #jobCopies: JobCopies;
  /** Job copies that an earlier operation of the batch puts. */
  readonly #copiesPut = new Set<string>();

  constructor(jobCopies: JobCopies) {
    this.#jobCopies = jobCopies;
  }

  encode(batch: readonly StagedCommit[]): readonly Operation[] {
    const tableIndexes = new Map<TableName, number>();
    for (const { index, effects } of batch) {
      for (const effect of effects) {
        this.#effect(effect);
        const table = tableOf(effect);
        if (table) tableIndexes.set(table, index);
      }
    }
    for (const [table, index] of tableIndexes) this.#add("putMeta", `index:${table}`, index);
    const last = batch.at(-1);
    if (last) this.#add("putMeta", "index", last.index);
    return this.#operations;
  }

  #add(...operation: Operation): void {
    this.#operations.push(operation);
  }

  #effect(effect: Effect): void {
    switch (effect.kind) {
      case "alloc":
        this.#alloc(effect);
        return;
      case "alloc-delete":
        this.#add("dropAlloc", effect.alloc.ID);
        this.#dropJobCopy(effect.alloc);
        return;
      case "tombstone":
        this.#add("putTombstone", effect.id);
        return;
      case "tombstone-delete":
        this.#add("dropTombstone", effect.id);
        return;
      case "job": {
        const { Namespace, ID, Version } = effect.job;
        this.#add("putJob", Namespace, ID, Version);
        this.#add("putJobVersion", Namespace, ID, Version, encodeJson(effect.job));
        for (const version of effect.dropped) this.#add("dropJobVersion", Namespace, ID, version);
        return;
      }
      case "job-delete":
        this.#add("dropJob", effect.namespace, effect.id);
        return;
      case "job-version":
        this.#add("putJobVersion", effect.job.Namespace, effect.job.ID, effect.job.Version, encodeJson(effect.job));
        return;
      case "periodic-launch":
        this.#add("putPeriodicLaunch", effect.namespace, effect.id, effect.launch);
        return;
      case "namespace":
        this.#add("putNamespace", effect.namespace.Name, encodeJson(effect.namespace));
        return;
      case "namespace-delete":
        this.#add("dropNamespace", effect.name);
        return;
      case "eval":
        this.#eval(effect.eval);
        return;
      case "eval-delete":
        this.#add("dropEval", effect.id);
        return;
      case "deployment":
        this.#add("putDeployment", effect.deployment.ID, encodeJson(effect.deployment));
        return;
      case "deployment-delete":
        this.#add("dropDeployment", effect.id);
        return;
      case "node":
        this.#add("putNode", encodeJson(effect.node));
        return;
      case "acl":
        if ("drop" in effect.change) this.#add("dropAcl", effect.change.drop, effect.change.key);
        else this.#add("putAcl", effect.change.put, aclKey(effect.change), encodeAclBody(effect.change));
        return;
      case "scaling-events":
        this.#add("putScalingEvents", effect.namespace, effect.id, encodeJson(effect.events));
        return;
      case "scheduler-config":
        this.#add("putSchedulerConfig", encodeJson(effect.config));
        return;
      case "service":
        this.#add("putService", effect.service.ID, encodeJson(effect.service));
        return;
      case "service-delete":
        this.#add("dropService", effect.id);
        return;
      case "variable": {
        const { CreateTime, ModifyTime, ...body } = effect.variable;
        this.#add("putVariable", body.Namespace, body.Path, CreateTime, ModifyTime, encodeJson(body));
        return;
      }
      case "variable-delete":
        this.#add("dropVariable", effect.namespace, effect.path);
        return;
      case "task-handle":
        if (effect.handle === null) this.#add("dropTaskHandle", effect.allocId, effect.task);
        else this.#add("putTaskHandle", effect.allocId, effect.task, encodeJson(effect.handle));
        return;
    }
  }

  #alloc({ alloc, before, tasks, events, desired }: AllocEffect): void {
    if (desired) this.#desired(alloc, before);
    const { ClientStatus, ClientDescription, DeploymentStatus, NetworkStatus } = alloc;
    const status = encodeJson({ ClientStatus, ClientDescription, DeploymentStatus, NetworkStatus });
    this.#add("putAllocStatus", alloc.ID, alloc.ModifyIndex, alloc.ModifyTime, status);
    for (const task of tasks) {
      const state = alloc.TaskStates?.[task];
      if (state) this.#taskState(alloc.ID, task, state);
    }
    for (const { task, run, event } of events) {
      this.#add("addTaskEvent", alloc.ID, task, run, event.Time, event.Type, encodeJson(eventBody(event)));
    }
  }

  #taskState(allocId: string, task: string, { Events, LastRestart, StartedAt, FinishedAt, ...state }: TaskState): void {
    this.#add("putTaskState", allocId, task, LastRestart, StartedAt, FinishedAt, encodeJson(state));
  }

  #eval({ CreateTime, ModifyTime, ...evaluation }: Evaluation): void {
    this.#add("putEval", evaluation.ID, CreateTime, ModifyTime, encodeJson(evaluation));
  }

  #desired(alloc: Allocation, before: Allocation | undefined): void {
    const digest = this.#jobCopies.digestOf(alloc.Job);
    if (alloc.Job !== before?.Job && !this.#copiesPut.has(digest)) {
      this.#copiesPut.add(digest);
      this.#add("putJobCopy", digest, this.#jobCopies.copyOf(alloc.Job).body);
    }
    this.#add("putAlloc", alloc.ID, alloc.CreateIndex, alloc.CreateTime, alloc.AllocModifyIndex, digest, encodeJson(desiredBody(alloc)));
    if (before && this.#jobCopies.digestOf(before.Job) !== digest) this.#dropJobCopy(before);
  }

  #dropJobCopy({ Job }: Allocation): void {
    const digest = this.#jobCopies.digestOf(Job);
    this.#copiesPut.delete(digest);
    this.#add("dropUnusedJobCopy", digest);
  }
}

/** The desired members but for the job, which is stored once for all allocations that share it. */
function desiredBody(alloc: Allocation): object {
  const { Job, ClientStatus, ClientDescription, TaskStates, DeploymentStatus, NetworkStatus, ...withStamps } = alloc;
  const { CreateIndex, ModifyIndex, AllocModifyIndex, CreateTime, ModifyTime, ...desired } = withStamps;
  return desired;
}
