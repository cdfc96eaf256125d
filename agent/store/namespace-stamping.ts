import { AllocdError } from "../errors.js";
import type { Job } from "../model/job.js";
import type { Effect } from "./effect.js";
import type { Change } from "./state-store.js";
import type { Tables } from "./tables.js";

/** The version that is marked, in its place among the others. */
export function stableEffects(change: Change & { kind: "job-stable" }, tables: Tables, index: number): readonly Effect[] {
  const known = tables.jobVersions(change.namespace, change.id);
  const version = known.find(({ Version }) => Version === change.version);
  if (!version || version.Stable === change.stable) return [];
  const job: Job = { ...version, Stable: change.stable, ModifyIndex: index };
  const isCurrent = tables.jobs.get(`${change.namespace}/${change.id}`)?.Version === change.version;
  return [{ kind: "job-version", job, isCurrent, versions: known.map((other) => (other === version ? job : other)) }];
}

export function namespaceEffects(
  change: Change & { kind: "namespace" | "namespace-delete" },
  tables: Tables,
  index: number,
): readonly Effect[] {
  if (change.kind === "namespace-delete") return tables.namespaces.has(change.name) ? [change] : [];
  const CreateIndex = tables.namespaces.get(change.namespace.Name)?.CreateIndex ?? index;
  return [{ kind: "namespace", namespace: { ...change.namespace, CreateIndex, ModifyIndex: index } }];
}

/**
 * Sees to it that every job has its namespace, whatever else is on its way to the disk.
 *
 * @throws AllocdError `invalid` for a new job of an unknown namespace, `conflict` for the end of one that has jobs.
 */
export function checkNamespaces(changes: readonly Change[], tables: Tables): void {
  for (const change of changes) {
    if (change.kind === "job") {
      const { Namespace, ID } = change.job;
      if (!tables.namespaces.has(Namespace) && tables.jobVersions(Namespace, ID).length === 0) {
        throw new AllocdError("invalid", `job "${ID}" is in nonexistent namespace "${Namespace}"`);
      }
    }
    if (change.kind === "namespace-delete") {
      const job = tables.jobs.find(({ Namespace }) => Namespace === change.name);
      if (job) throw new AllocdError("conflict", `namespace "${change.name}" has jobs, "${job.ID}" among them: purge them first`);
    }
  }
}
