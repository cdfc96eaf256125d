import { type DiffType, diffFields, diffMembers, type FieldDiff, type Members, type ObjectDiff, plainFields } from "./diff-values.js";
import type { Job, Task, TaskGroup } from "./job.js";
import { WRITTEN_BY_HOST } from "./job-diff.js";

/** What is different between two versions of a job, in the structure of the reference. Source: reference sample of a job's plan. */
export interface JobDiff {
  readonly Fields: readonly FieldDiff[] | null;
  readonly ID: string;
  readonly Objects: readonly ObjectDiff[] | null;
  readonly TaskGroups: readonly GroupDiff[] | null;
  readonly Type: DiffType;
}

export interface GroupDiff {
  readonly Fields: readonly FieldDiff[] | null;
  readonly Name: string;
  readonly Objects: readonly ObjectDiff[] | null;
  readonly Tasks: readonly TaskDiff[] | null;
  readonly Type: DiffType;
  /** How many allocations the plan does what to. */
  readonly Updates: Readonly<Record<string, number>> | null;
}

export interface TaskDiff {
  readonly Annotations: readonly string[] | null;
  readonly Fields: readonly FieldDiff[] | null;
  readonly Name: string;
  readonly Objects: readonly ObjectDiff[] | null;
  readonly Type: DiffType;
}

/** The job's own update block says nothing: what counts is each group's. */
const UNTOLD = [...WRITTEN_BY_HOST, "ID", "TaskGroups", "Update"];

/** @param before null when there is no earlier one. */
export function diffJobs(before: Job | null, after: Job): JobDiff {
  const own = diffPart(before, after, UNTOLD);
  const groups = byName(before?.TaskGroups, after.TaskGroups).map(([was, is]) => diffGroups(was, is));
  return {
    Fields: own.Fields,
    ID: after.ID,
    Objects: own.Objects,
    TaskGroups: groups.length > 0 ? groups : null,
    Type: before === null ? "Added" : own.isSame && groups.every((group) => group.Type === "None") ? "None" : "Edited",
  };
}

function diffGroups(before: TaskGroup | null, after: TaskGroup | null): GroupDiff {
  const own = diffPart(before, after, ["Name", "Tasks"]);
  const tasks = byName(before?.Tasks, after?.Tasks).map(([was, is]) => diffTasks(was, is));
  return {
    Fields: own.Fields,
    Name: (after ?? before)?.Name ?? "",
    Objects: own.Objects,
    Tasks: tasks.length > 0 ? tasks : null,
    Type: typeOf(before, after, own.isSame && tasks.every((task) => task.Type === "None")),
    Updates: null,
  };
}

function diffTasks(before: Task | null, after: Task | null): TaskDiff {
  const own = diffPart(before, after, ["Name"]);
  return {
    Annotations: null,
    Fields: own.Fields,
    Name: (after ?? before)?.Name ?? "",
    Objects: own.Objects,
    Type: typeOf(before, after, own.isSame),
  };
}

function diffPart(before: Members | null, after: Members | null, untold: readonly string[]) {
  const told = (value: Members | null): Members | null =>
    value && Object.fromEntries(Object.entries(value).filter(([name]) => !untold.includes(name)));
  const [was, is] = [told(before), told(after)];
  const Fields = diffFields(plainFields(was), plainFields(is), false);
  const Objects = diffMembers(was, is);
  return { Fields, Objects, isSame: Fields === null && Objects === null };
}

const typeOf = (before: object | null, after: object | null, isSame: boolean): DiffType =>
  before === null ? "Added" : after === null ? "Deleted" : isSame ? "None" : "Edited";

/** Pairs of one name, in the order of the names. */
function byName<T extends { readonly Name: string }>(before: readonly T[] = [], after: readonly T[] = []): readonly [T | null, T | null][] {
  const find = (list: readonly T[], name: string): T | null => list.find((item) => item.Name === name) ?? null;
  const names = [...new Set([...before, ...after].map((item) => item.Name))].sort();
  return names.map((name) => [find(before, name), find(after, name)]);
}
