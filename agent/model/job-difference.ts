import type { Job, Task, TaskGroup } from "./job.js";
import { sameJson } from "./same-json.js";

/*
 * What differs between two versions of a job, in the form that Nomad's clients print. Source: reference sample of a plan,
 * the documentation of "List Job Versions".
 */

export type DiffType = "None" | "Added" | "Deleted" | "Edited";

export interface FieldDiff {
  readonly Annotations: null;
  readonly Name: string;
  readonly New: string;
  readonly Old: string;
  readonly Type: DiffType;
}

export interface ObjectDiff {
  readonly Fields: readonly FieldDiff[] | null;
  readonly Name: string;
  readonly Objects: readonly ObjectDiff[] | null;
  readonly Type: DiffType;
}

export interface TaskDiff extends ObjectDiff {
  readonly Annotations: null;
}

export interface TaskGroupDiff extends ObjectDiff {
  readonly Tasks: readonly TaskDiff[] | null;
  readonly Updates: null;
}

export interface JobDiff {
  readonly Fields: readonly FieldDiff[] | null;
  readonly ID: string;
  readonly Objects: readonly ObjectDiff[] | null;
  readonly TaskGroups: readonly TaskGroupDiff[] | null;
  readonly Type: DiffType;
}

type Members = Readonly<Record<string, unknown>>;

/** What the host writes into a job, and what is told apart. */
const untoldOfJob = [
  "ID",
  "TaskGroups",
  "CreateIndex",
  "ModifyIndex",
  "JobModifyIndex",
  "Version",
  "SubmitTime",
  "Status",
  "StatusDescription",
  "Stable",
  "NomadTokenID",
  "VersionTag",
];
/** Maps whose keys the reference shows as fields of what they belong to. */
const spreadMaps = ["Meta", "Env"];

/** @param before undefined when there was none. */
export function diffJobs(before: Job | undefined, after: Job): JobDiff {
  const { Fields, Objects, Type } = diffMembers("", omit(before, untoldOfJob), omit(after, untoldOfJob));
  const TaskGroups = pairs(before?.TaskGroups ?? [], after.TaskGroups).map(([a, b]) => diffGroups(a, b));
  const edited = Type !== "None" || TaskGroups.some((group) => group.Type !== "None");
  return { Fields, ID: after.ID, Objects, TaskGroups: orNull(TaskGroups), Type: before ? (edited ? "Edited" : "None") : "Added" };
}

function diffGroups(before: TaskGroup | undefined, after: TaskGroup | undefined): TaskGroupDiff {
  const { Fields, Objects, Type } = diffMembers("", omit(before, ["Name", "Tasks"]), omit(after, ["Name", "Tasks"]));
  const Tasks = pairs(before?.Tasks ?? [], after?.Tasks ?? []).map(([a, b]) => diffTasks(a, b));
  const edited = Type !== "None" || Tasks.some((task) => task.Type !== "None");
  const Name = (after ?? before)?.Name ?? "";
  return { Fields, Name, Objects, Tasks: orNull(Tasks), Type: typeOf(before, after, edited), Updates: null };
}

function diffTasks(before: Task | undefined, after: Task | undefined): TaskDiff {
  const { Fields, Objects, Type } = diffMembers("", omit(before, ["Name"]), omit(after, ["Name"]));
  return { Annotations: null, Fields, Name: (after ?? before)?.Name ?? "", Objects, Type: typeOf(before, after, Type !== "None") };
}

function diffMembers(Name: string, before: Members | undefined, after: Members | undefined): ObjectDiff {
  const fields: FieldDiff[] = [];
  const objects: ObjectDiff[] = [];
  for (const name of namesOf(before, after)) {
    const [a, b] = [before?.[name] ?? null, after?.[name] ?? null];
    if (sameJson(a, b)) continue;
    if (isMembers(a) || isMembers(b)) {
      const inner = diffMembers(name, isMembers(a) ? a : undefined, isMembers(b) ? b : undefined);
      if (spreadMaps.includes(name)) fields.push(...(inner.Fields ?? []).map((field) => ({ ...field, Name: `${name}[${field.Name}]` })));
      else if (inner.Type !== "None") objects.push(inner);
    } else if (Array.isArray(a) || Array.isArray(b)) {
      objects.push(...diffLists(name, Array.isArray(a) ? a : [], Array.isArray(b) ? b : []));
    } else fields.push(...diffField(name, a, b));
  }
  const Type = typeOf(before, after, fields.length + objects.length > 0);
  return { Fields: orNull(fields), Name, Objects: orNull(objects), Type };
}

/** A list is a set: what is in both is not told. Two objects of one name are one that was edited. */
function diffLists(name: string, before: readonly unknown[], after: readonly unknown[]): readonly ObjectDiff[] {
  const gone = before.filter((a) => !after.some((b) => sameJson(a, b)));
  const come = after.filter((b) => !before.some((a) => sameJson(a, b)));
  if (![...gone, ...come].some(isMembers)) {
    const fields = [...gone.flatMap((a) => diffField(name, a, null)), ...come.flatMap((b) => diffField(name, null, b))];
    return [
      { Fields: orNull(fields), Name: name, Objects: null, Type: typeOf(before.length || undefined, after.length || undefined, true) },
    ];
  }
  const objects = (list: readonly unknown[]): readonly Members[] => list.filter(isMembers);
  const named = objects(gone).flatMap((a) => {
    const b = nameOf(a) === undefined ? undefined : objects(come).find((other) => nameOf(other) === nameOf(a));
    return b ? [[a, b] as const] : [];
  });
  const alone = (list: readonly unknown[], side: 0 | 1): readonly Members[] =>
    objects(list).filter((x) => !named.some((pair) => pair[side] === x));
  return [
    ...named.map(([a, b]) => diffMembers(name, a, b)),
    ...alone(gone, 0).map((a) => diffMembers(name, a, undefined)),
    ...alone(come, 1).map((b) => diffMembers(name, undefined, b)),
  ];
}

function diffField(Name: string, before: unknown, after: unknown): readonly FieldDiff[] {
  const [Old, New] = [textOf(before), textOf(after)];
  if (Old === New) return [];
  return [{ Annotations: null, Name, New, Old, Type: Old === "" ? "Added" : New === "" ? "Deleted" : "Edited" }];
}

const textOf = (value: unknown): string =>
  value === null || value === undefined ? "" : typeof value === "object" ? JSON.stringify(value) : String(value);

const typeOf = (before: unknown, after: unknown, edited: boolean): DiffType =>
  before === undefined ? "Added" : after === undefined ? "Deleted" : edited ? "Edited" : "None";

const namesOf = (...objects: readonly (Members | undefined)[]): readonly string[] =>
  [...new Set(objects.flatMap((object) => Object.keys(object ?? {})))].sort();

const isMembers = (value: unknown): value is Members => typeof value === "object" && value !== null && !Array.isArray(value);

const nameOf = (members: Members): unknown => members.Name ?? members.Label;

const orNull = <T>(list: readonly T[]): readonly T[] | null => (list.length > 0 ? list : null);

const omit = (value: object | undefined, names: readonly string[]): Members | undefined =>
  value && Object.fromEntries(Object.entries(value).filter(([name]) => !names.includes(name)));

/** Those of one name together, in order of their names. */
function pairs<T extends { readonly Name: string }>(
  before: readonly T[],
  after: readonly T[],
): readonly (readonly [T | undefined, T | undefined])[] {
  const names = [...new Set([...before, ...after].map(({ Name }) => Name))].sort();
  const find = (list: readonly T[], name: string): T | undefined => list.find(({ Name }) => Name === name);
  return names.map((name) => [find(before, name), find(after, name)]);
}
