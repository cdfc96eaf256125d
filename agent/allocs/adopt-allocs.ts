import type { Logger } from "../log.js";
import { type DesiredAllocation, isClientTerminal, isDesiredTerminal } from "../model/allocation.js";
import type { Job } from "../model/job.js";
import { defaultNamespace } from "../model/namespace.js";
import { RESTORE_GAP } from "../store/high-water.js";
import type { Change, NewTaskEvent, StateStore } from "../store/state-store.js";
import { type AllocRecord, readRecord, recordedIds } from "./alloc-record.js";

export interface AdoptionDeps {
  readonly store: StateStore;
  /** Absolute. */
  readonly dataDir: string;
  readonly log: Logger;
  /** The store is known to be older than the directory. */
  readonly isOlder: boolean;
  /** The index up to which the store knows what has happened. */
  readonly knownIndex: number;
}

/** How many were taken up, brought up to date, forgotten, and could not be read. */
export interface Adoption {
  readonly adopted: number;
  readonly updated: number;
  readonly removed: number;
  readonly unreadable: number;
}

/** Records that are read at the same time. */
const atOnce = 16;

/**
 * Brings a store that is older than its directory up to what the records beside the allocations say: takes up those that
 * it has never heard of, with their jobs, so that what runs is found and not started again; brings the others up to date;
 * and forgets those whose records were removed after the backup. Nothing is done when the store knows every record.
 */
export async function adoptAllocs(deps: AdoptionDeps): Promise<Adoption | null> {
  const { store, dataDir, log, isOlder, knownIndex } = deps;
  const ids = await recordedIds(dataDir);
  if (ids === null) return null;
  const unknown = ids.filter((id) => !store.alloc(id) && !store.isTombstone(id));
  if (!isOlder && unknown.length === 0) return null;

  const wanted = isOlder ? ids.filter((id) => !store.isTombstone(id)) : unknown;
  const records = await readAll(dataDir, wanted, log);
  const newer = new Map([...records].filter(([id, { index }]) => store.alloc(id) && index > knownIndex));
  const strange = new Map([...records].filter(([id]) => !store.alloc(id)));
  const recorded = new Set(ids);
  // What has ended stays to be looked at: its directory may have been collected long before.
  const gone = isOlder ? store.allocs().filter((alloc) => !recorded.has(alloc.ID) && !isClientTerminal(alloc)) : [];

  // Higher than all that was ever handed out, as far as can be known.
  const highest = Math.max(0, ...[...records.values()].map(({ index }) => index));
  const above = highest > store.index ? highest + RESTORE_GAP : 0;
  const jobs = jobsOf(store, [...strange.values(), ...newer.values()]);
  const namespaces = [...new Set(jobs.map(({ Namespace }) => Namespace))].filter((name) => !store.namespace(name));
  // One after the other: a job has to find its namespace, and an allocation its job.
  if (namespaces.length > 0) await store.commit(namespaces.map(namespaceNamed), { above });
  if (jobs.length > 0) {
    const running = jobs.map((job): Change => ({ kind: "job", job: { ...job, Status: "running" }, spec: true }));
    await store.commit(running, { above });
  }
  const changes = [
    ...[...strange.values()].flatMap((record) => creationOf(store, record)),
    ...[...newer.values()].flatMap((record) => updateOf(store, record)),
    ...gone.map(({ ID }): Change => ({ kind: "alloc-delete", id: ID })),
  ];
  if (changes.length > 0) await store.commit(changes, { above });

  const adoption = {
    adopted: strange.size,
    updated: newer.size,
    removed: gone.length,
    unreadable: wanted.filter((id) => !records.has(id) && !store.alloc(id)).length,
  };
  for (const id of strange.keys()) log.warn({ allocId: id }, "an allocation that the state had not heard of is taken up from its record");
  for (const { ID } of gone) log.warn({ allocId: ID }, "an allocation of the backup was removed since and is forgotten");
  log.warn({ ...adoption, index: store.index }, "the state was brought up to date with the records of allocations");
  return adoption;
}

/** What operators are told of it. */
export const adoptionText = ({ adopted, updated, removed, unreadable }: Adoption): string =>
  `the state was older than its directory: ${adopted} allocations were taken up from their records, ${updated} brought up to date, ` +
  `${removed} forgotten${unreadable > 0 ? `; the records of ${unreadable} can not be read` : ""}`;

async function readAll(dataDir: string, ids: readonly string[], log: Logger): Promise<ReadonlyMap<string, AllocRecord>> {
  const records = new Map<string, AllocRecord>();
  const next = ids.values();
  const readEach = async (): Promise<void> => {
    for (const id of next) {
      try {
        records.set(id, await readRecord(dataDir, id));
      } catch (error) {
        log.warn({ err: error, allocId: id }, "the record of an allocation can not be read");
      }
    }
  };
  await Promise.all(Array.from({ length: atOnce }, readEach));
  return records;
}

const keyOf = ({ Namespace, ID }: Job): string => `${Namespace}/${ID}`;

/**
 * The jobs that the store lacks, or has an older version of, and that still want something here: without them the
 * scheduler would end what runs.
 */
function jobsOf(store: StateStore, records: readonly AllocRecord[]): readonly Job[] {
  const latest = new Map<string, Job>();
  for (const { job, desired } of records) {
    if (desired.Ingested || isDesiredTerminal(desired) || job.Stop) continue;
    const known = latest.get(keyOf(job)) ?? store.job(job.Namespace, job.ID);
    if (!known || known.Version < job.Version) latest.set(keyOf(job), job);
  }
  return [...latest.values()];
}

const namespaceNamed = (Name: string): Change => ({ kind: "namespace", namespace: { ...defaultNamespace, Name, Description: "" } });

/** The job as the store has it: allocations belong to a job that was created at the same index. */
function jobIn(store: StateStore, job: Job): Job {
  const stored = store.jobVersions(job.Namespace, job.ID).find((version) => version.Version === job.Version);
  if (stored?.SubmitTime === job.SubmitTime) return stored;
  const CreateIndex = store.job(job.Namespace, job.ID)?.CreateIndex ?? job.CreateIndex;
  // An earlier version, whose successor was taken up from another record.
  return job.CreateIndex < CreateIndex && !stored ? { ...job, CreateIndex } : job;
}

function creationOf(store: StateStore, record: AllocRecord): readonly Change[] {
  const { desired, observed } = record;
  const { ID } = desired;
  const alloc: DesiredAllocation = { ...desired, Job: desired.Ingested ? record.job : jobIn(store, record.job) };
  const create: Change = { kind: "alloc-create", alloc };
  return observed ? [create, { kind: "alloc-observed", id: ID, patch: { ...patchOf(record, null) } }, ...handlesOf(record)] : [create];
}

function updateOf(store: StateStore, record: AllocRecord): readonly Change[] {
  const { ID, ...desired } = record.desired;
  const known = store.alloc(ID);
  const Job = desired.Ingested || !known ? {} : { Job: jobIn(store, record.job) };
  const since = known?.TaskStates ?? null;
  // One that is over stays over, whatever its record says.
  if (known && isClientTerminal(known)) return [];
  return [
    { kind: "alloc-desired", id: ID, patch: { ...desired, ...Job } },
    { kind: "alloc-observed", id: ID, patch: patchOf(record, since) },
    ...handlesOf(record),
  ];
}

/** @param since what the store knows already: later events are new to it. */
function patchOf(
  { observed, handles }: AllocRecord,
  since: Readonly<Record<string, { readonly Events: readonly { readonly Time: bigint }[] }>> | null,
) {
  const { TaskStates, ...summary } = observed ?? { TaskStates: null };
  const events = Object.entries(TaskStates ?? {}).flatMap(([task, { Events }]) => {
    const last = since?.[task]?.Events.at(-1)?.Time ?? 0n;
    return Events.filter(({ Time }) => Time > last).map((event): NewTaskEvent => ({ task, run: handles[task]?.run ?? 1, event }));
  });
  return { ...summary, ...(TaskStates ? { TaskStates } : {}), events };
}

const handlesOf = ({ desired, handles }: AllocRecord): readonly Change[] =>
  Object.entries(handles).map(([task, handle]): Change => ({ kind: "task-handle", allocId: desired.ID, task, handle }));
