import type { GroupUpdates } from "./decision.js";
import type { FieldDiff } from "./diff-values.js";
import type { GroupDiff, JobDiff, TaskDiff } from "./spec-diff.js";

export type UpdatesByGroup = Readonly<Record<string, Pick<GroupUpdates, keyof typeof UPDATES>>>;

/** Source: Nomad's scheduler, annotate. */
const UPDATES = {
  Ignore: "ignore",
  Place: "create",
  Migrate: "migrate",
  Stop: "destroy",
  Canary: "canary",
  InPlaceUpdate: "in-place update",
  DestructiveUpdate: "create/destroy update",
} as const;

const FORCES = {
  create: "forces create",
  destroy: "forces destroy",
  inPlace: "forces in-place update",
  destructive: "forces create/destroy update",
} as const;

/** What a running task never notices. */
const IN_PLACE = {
  fields: ["KillTimeout", "KillSignal", "ShutdownDelay"],
  objects: ["Constraint", "Affinity", "RestartPolicy", "Scaling"],
} as const;

/** The diff with what each change leads to. */
export const annotateDiff = (diff: JobDiff, updates: UpdatesByGroup): JobDiff => ({
  ...diff,
  TaskGroups: diff.TaskGroups?.map((group) => annotateGroup(group, updates[group.Name])) ?? null,
});

function annotateGroup(group: GroupDiff, counts: UpdatesByGroup[string] | undefined): GroupDiff {
  const told = Object.entries(UPDATES).flatMap(([member, name]): [string, number][] => {
    const count = counts?.[member as keyof typeof UPDATES] ?? 0;
    return count > 0 ? [[name, count]] : [];
  });
  return {
    ...group,
    Updates: counts ? Object.fromEntries(told) : group.Updates,
    Fields: group.Fields?.map(annotateCount) ?? null,
    Tasks: group.Tasks?.map((task) => annotateTask(task, group)) ?? null,
  };
}

function annotateCount(field: FieldDiff): FieldDiff {
  if (field.Name !== "Count" || field.Old === field.New) return field;
  return { ...field, Annotations: [Number(field.New) > Number(field.Old) ? FORCES.create : FORCES.destroy] };
}

function annotateTask(task: TaskDiff, group: GroupDiff): TaskDiff {
  if (task.Type === "None") return task;
  return { ...task, Annotations: [forced(task, group)] };
}

function forced(task: TaskDiff, group: GroupDiff): string {
  if (group.Type === "Added") return FORCES.create;
  if (group.Type === "Deleted") return FORCES.destroy;
  const isNoticed =
    (task.Fields ?? []).some(({ Name }) => !(IN_PLACE.fields as readonly string[]).includes(Name)) ||
    (task.Objects ?? []).some(({ Name }) => !(IN_PLACE.objects as readonly string[]).includes(Name));
  return isNoticed ? FORCES.destructive : FORCES.inPlace;
}
