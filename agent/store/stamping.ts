import { AllocdError } from "../errors.js";
import type { Allocation, AllocDeploymentStatus } from "../model/allocation.js";
import { sameJson } from "../model/same-json.js";
import type { ScalingEvents } from "../model/scaling.js";
import type { NewRegistration } from "../model/service-registration.js";
import type { UnixNano } from "../model/units.js";
import type { Effect } from "./effect.js";
import type { StoreLimits } from "./limits.js";
import { checkNamespaces, namespaceEffects, stableEffects } from "./namespace-stamping.js";
import type { Change, ObservedPatch } from "./state-store.js";
import { isCompleted, type Tables } from "./tables.js";

/** The index and the moment of one commit. */
export interface Stamp {
  readonly index: number;
  readonly time: UnixNano;
}

/**
 * Works out what a change comes to. A change of an object that is no longer there comes to nothing: its writer has
 * merely not heard of the removal yet.
 */
export function effectsOf(change: Change, tables: Tables, stamp: Stamp, limits: StoreLimits): readonly Effect[] {
  switch (change.kind) {
    case "job":
      return jobEffects(change, tables, stamp, limits);
    case "job-delete":
      return tables.jobVersions(change.namespace, change.id).length > 0 ? [change] : [];
    case "job-stable":
      return stableEffects(change, tables, stamp.index);
    case "periodic-launch":
      return tables.jobVersions(change.namespace, change.id).length > 0 ? [change] : [];
    case "namespace":
    case "namespace-delete":
      return namespaceEffects(change, tables, stamp.index);
    case "eval":
      return evalEffects(change, tables, stamp, limits);
    case "eval-delete":
      return tables.evals.get(change.id) ? [change] : [];
    case "deployment": {
      const before = tables.deployments.get(change.deployment.ID);
      return [{ kind: "deployment", deployment: { ...change.deployment, ...timedStamps(before, stamp) } }];
    }
    case "deployment-delete":
      return tables.deployments.get(change.id) ? [change] : [];
    case "node": {
      const CreateIndex = tables.node?.CreateIndex ?? stamp.index;
      return [{ kind: "node", node: { ...change.node, CreateIndex, ModifyIndex: stamp.index } }];
    }
    case "acl": {
      const stamped = tables.acl.stamped(change.change, stamp.index);
      return stamped === undefined ? [] : [{ kind: "acl", change: stamped }];
    }
    case "scaling-events":
      return tables.jobVersions(change.namespace, change.id).length > 0 ? [{ ...change, events: stampedEvents(change.events, stamp) }] : [];
    case "scheduler-config": {
      const CreateIndex = tables.schedulerConfig?.CreateIndex ?? stamp.index;
      return [{ kind: "scheduler-config", config: { ...change.config, CreateIndex, ModifyIndex: stamp.index } }];
    }
    case "service":
      return serviceEffects(change.service, tables, stamp);
    case "service-delete":
      return tables.services.get(change.service.ID) ? [{ kind: "service-delete", id: change.service.ID }] : [];
    case "variable": {
      const before = tables.variable(change.variable.Namespace, change.variable.Path);
      return [{ kind: "variable", variable: { ...change.variable, ...timedStamps(before, stamp) } }];
    }
    case "variable-delete":
      return tables.variable(change.namespace, change.path) ? [change] : [];
    case "alloc-create": {
      const alloc: Allocation = {
        ...change.alloc,
        ClientStatus: "pending",
        ClientDescription: "",
        TaskStates: null,
        DeploymentStatus: null,
        NetworkStatus: null,
        AllocModifyIndex: stamp.index,
        ...timedStamps(undefined, stamp),
      };
      return [{ kind: "alloc", alloc, before: undefined, tasks: [], events: [], desired: true }];
    }
    case "alloc-desired": {
      const before = tables.allocs.get(change.id);
      if (!before) return [];
      const alloc = { ...before, ...change.patch, ID: before.ID, AllocModifyIndex: stamp.index, ...timedStamps(before, stamp) };
      return [{ kind: "alloc", alloc, before, tasks: [], events: [], desired: true }];
    }
    case "alloc-observed":
      return observedEffects(change.id, change.patch, tables, stamp);
    case "alloc-delete":
      return deleteEffects(change.id, tables, limits);
    case "task-handle":
      return tables.allocs.get(change.allocId) ? [change] : [];
  }
}

/**
 * Refuses what can not be applied, before anything of the commit is.
 *
 * @throws AllocdError `conflict` for an allocation that is there already or was removed, and as checkNamespaces does.
 */
export function checkCreations(changes: readonly Change[], tables: Tables): void {
  checkNamespaces(changes, tables);
  const created = new Set<string>();
  for (const change of changes) {
    if (change.kind !== "alloc-create") continue;
    const id = change.alloc.ID;
    if (created.has(id) || tables.allocs.get(id)) throw new AllocdError("conflict", `allocation ${id} exists already`);
    if (tables.tombstones.has(id)) throw new AllocdError("conflict", `allocation ${id} was removed and does not run again`);
    created.add(id);
  }
}

interface TimedStamps {
  readonly CreateIndex: number;
  readonly ModifyIndex: number;
  readonly CreateTime: UnixNano;
  readonly ModifyTime: UnixNano;
}

const timedStamps = (before: TimedStamps | undefined, { index, time }: Stamp): TimedStamps => ({
  CreateIndex: before?.CreateIndex ?? index,
  ModifyIndex: index,
  CreateTime: before?.CreateTime ?? time,
  ModifyTime: time,
});

function jobEffects(change: Change & { kind: "job" }, tables: Tables, { index }: Stamp, limits: StoreLimits): readonly Effect[] {
  const { Namespace, ID } = change.job;
  const versions = tables.jobVersions(Namespace, ID);
  const before = tables.jobs.get(`${Namespace}/${ID}`);
  const job = {
    ...change.job,
    CreateIndex: before?.CreateIndex ?? index,
    ModifyIndex: index,
    JobModifyIndex: before && !change.spec ? before.JobModifyIndex : index,
  };
  const all = [job, ...versions.filter((version) => version.Version !== job.Version)].sort((a, b) => b.Version - a.Version);
  const kept = all.filter((version, place) => place < limits.jobVersions || version === job);
  const dropped = all.filter((version) => !kept.includes(version)).map((version) => version.Version);
  return [{ kind: "job", job, versions: kept, dropped }];
}

function evalEffects(change: Change & { kind: "eval" }, tables: Tables, stamp: Stamp, limits: StoreLimits): readonly Effect[] {
  const before = tables.evals.get(change.eval.ID);
  const evaluation = { ...change.eval, ...timedStamps(before, stamp) };
  const put: Effect = { kind: "eval", eval: evaluation };
  const isOneMore = isCompleted(evaluation) && !(before && isCompleted(before));
  if (!isOneMore || tables.completedEvals < limits.completedEvals) return [put];
  const oldest = tables.evals.find((known) => known.ID !== evaluation.ID && isCompleted(known));
  return oldest ? [put, { kind: "eval-delete", id: oldest.ID }] : [put];
}

function observedEffects(id: string, patch: ObservedPatch, tables: Tables, stamp: Stamp): readonly Effect[] {
  const before = tables.allocs.get(id);
  if (!before) return [];
  const { TaskStates, DeploymentStatus, events = [], ...rest } = patch;
  const tasks = Object.keys(TaskStates ?? {});
  const alloc = {
    ...before,
    ...rest,
    TaskStates: tasks.length > 0 ? { ...before.TaskStates, ...TaskStates } : before.TaskStates,
    DeploymentStatus: DeploymentStatus === undefined ? before.DeploymentStatus : stampedHealth(DeploymentStatus, stamp),
    ...timedStamps(before, stamp),
  };
  return [{ kind: "alloc", alloc, before, tasks, events, desired: false }];
}

const stampedEvents = (events: ScalingEvents, { index }: Stamp): ScalingEvents =>
  Object.fromEntries(
    Object.entries(events).map(([group, list]) => [group, list.map((e) => (e.CreateIndex === 0 ? { ...e, CreateIndex: index } : e))]),
  );

const stampedHealth = (status: AllocDeploymentStatus | null, { index }: Stamp): AllocDeploymentStatus | null =>
  status?.ModifyIndex === 0 ? { ...status, ModifyIndex: index } : status;

/** What is registered already wakes nobody: an agent that takes up its tasks registers all of them again. */
function serviceEffects(service: NewRegistration, tables: Tables, { index }: Stamp): readonly Effect[] {
  if (!tables.allocs.get(service.AllocID)) return [];
  const before = tables.services.get(service.ID);
  if (before) {
    const { CreateIndex, ModifyIndex, ...known } = before;
    if (sameJson(known, service)) return [];
  }
  return [{ kind: "service", service: { ...service, CreateIndex: before?.CreateIndex ?? index, ModifyIndex: index } }];
}

function deleteEffects(id: string, tables: Tables, limits: StoreLimits): readonly Effect[] {
  const alloc = tables.allocs.get(id);
  if (!alloc) return [];
  const effects: Effect[] = [
    ...tables.services.listOf("alloc", id).map((service): Effect => ({ kind: "service-delete", id: service.ID })),
    { kind: "alloc-delete", alloc },
    { kind: "tombstone", id },
  ];
  const [oldest] = tables.tombstones;
  if (oldest !== undefined && tables.tombstones.size >= limits.tombstones) effects.push({ kind: "tombstone-delete", id: oldest });
  return effects;
}
