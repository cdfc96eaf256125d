import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Allocation, DesiredAllocation, ObservedAllocation } from "../model/allocation.js";
import type { Job } from "../model/job.js";
import { encodeJson, parseJson } from "../model/json.js";
import type { StateReader, StoredHandle } from "../store/state-store.js";
import { allocRoot } from "./alloc-dir.js";

/*
 * What is kept beside an allocation's directory, for a store that was restored from a backup and has never heard of it:
 *
 *   <alloc id>.json         the allocation as it was given, with its job; written before its tasks start
 *   <alloc id>.state.json   all but the job as it was a moment ago: what is wanted, how far its tasks are, what finds them
 */

const record = /^([0-9a-f-]{36})(\.state)?\.json$/;

export type AllocWithoutJob = Omit<Allocation, "Job">;

/** The file that follows an allocation. */
interface StateFile {
  readonly version: 1;
  readonly alloc: AllocWithoutJob;
  readonly handles: Readonly<Record<string, StoredHandle>>;
}

/** What is known of an allocation from its files. */
export interface AllocRecord {
  readonly job: Job;
  readonly desired: Omit<DesiredAllocation, "Job">;
  /** Null when nothing has been written of its tasks. */
  readonly observed: ObservedAllocation | null;
  readonly handles: Readonly<Record<string, StoredHandle>>;
  /** The index of the latest change that is in it; 0 when that is not known. */
  readonly index: number;
}

/** The text of `<alloc id>.state.json`. */
export function encodeStateFile(store: StateReader, { Job, ...alloc }: Allocation): string {
  const tasks = Job.TaskGroups.find(({ Name }) => Name === alloc.TaskGroup)?.Tasks ?? [];
  const handles = tasks.flatMap(({ Name }) => {
    const handle = store.taskHandle(alloc.ID, Name);
    return handle ? [[Name, handle] as const] : [];
  });
  return encodeJson({ version: 1, alloc, handles: Object.fromEntries(handles) } satisfies StateFile);
}

/** The ids of all allocations that have files; null when there is no directory for them at all. */
export async function recordedIds(dataDir: string): Promise<readonly string[] | null> {
  try {
    const names = await readdir(allocRoot(dataDir));
    return [...new Set(names.flatMap((name) => record.exec(name)?.[1] ?? []))];
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}

/**
 * Reads what is recorded of an allocation.
 *
 * @throws Error that says why it can not be used.
 */
export async function readRecord(dataDir: string, id: string): Promise<AllocRecord> {
  const given = await readJson(join(allocRoot(dataDir), `${id}.json`));
  const { Job: job, ...desired } = memberOf(given, "alloc") as DesiredAllocation;
  if (desired.ID !== id || !Array.isArray(job?.TaskGroups)) throw new Error(`${id}.json is no record of this allocation`);
  const state = await readJson(join(allocRoot(dataDir), `${id}.state.json`)).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return null;
    throw error;
  });
  if (state === null) return { job, desired, observed: null, handles: {}, index: 0 };
  const { alloc, handles } = { alloc: memberOf(state, "alloc") as AllocWithoutJob, handles: memberOf(state, "handles") };
  if (alloc.ID !== id) throw new Error(`${id}.state.json is no record of this allocation`);
  const { CreateIndex, ModifyIndex, AllocModifyIndex, CreateTime, ModifyTime, ...members } = alloc;
  const { ClientStatus, ClientDescription, TaskStates, DeploymentStatus, NetworkStatus, ...wanted } = members;
  return {
    job,
    desired: wanted,
    observed: { ClientStatus, ClientDescription, TaskStates, DeploymentStatus, NetworkStatus },
    handles: handles as Readonly<Record<string, StoredHandle>>,
    index: ModifyIndex,
  };
}

const readJson = async (path: string): Promise<unknown> => parseJson(await readFile(path, "utf8"));

function memberOf(value: unknown, name: string): unknown {
  const member = typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>)[name] : undefined;
  if (typeof member !== "object" || member === null) throw new Error(`the record has no ${name}`);
  return member;
}
