import type { Task } from "./job.js";
import type { TaskState } from "./task-state.js";

/** How far an allocation has come. Source: reference behaviour §4.5. */
export type Stage = "init" | "prestart" | "main" | "poststart" | "wait-alloc" | "poststop";

type Role = "prestart-ephemeral" | "prestart-sidecar" | "main" | "poststart-ephemeral" | "poststart-sidecar" | "poststop";

export type LifecycleTask = Pick<Task, "Name" | "Lifecycle" | "Leader">;
/** The states of a group's tasks by name. One that is missing has not begun. */
export type States = ReadonlyMap<string, TaskState>;

/** Which tasks may start, or start again, in a stage. */
const admitted: Readonly<Record<Stage, readonly Role[]>> = {
  init: [],
  prestart: ["prestart-ephemeral", "prestart-sidecar"],
  main: ["prestart-sidecar", "main"],
  poststart: ["prestart-sidecar", "main", "poststart-ephemeral", "poststart-sidecar"],
  "wait-alloc": ["prestart-sidecar", "main", "poststart-sidecar"],
  poststop: ["poststop"],
};

/** A sidecar flag of a main task means nothing: it is no `Lifecycle` without a hook. */
function roleOf({ Lifecycle }: LifecycleTask): Role {
  switch (Lifecycle?.Hook) {
    case "prestart":
      return Lifecycle.Sidecar ? "prestart-sidecar" : "prestart-ephemeral";
    case "poststart":
      return Lifecycle.Sidecar ? "poststart-sidecar" : "poststart-ephemeral";
    case "poststop":
      return "poststop";
    default:
      return "main";
  }
}

export const isPoststop = (task: LifecycleTask): boolean => roleOf(task) === "poststop";
export const isSidecar = (task: LifecycleTask): boolean => roleOf(task).endsWith("-sidecar");
export const mayStart = (stage: Stage, task: LifecycleTask): boolean => admitted[stage].includes(roleOf(task));

/**
 * The stage that follows from the states of the tasks, as far as it goes.
 *
 * `init` holds every task back until all of `awaited` are pending: all tasks for a new allocation, those that are being
 * restarted when several are restarted together. After an agent's restart it begins at `prestart`.
 */
export function advanceStage(stage: Stage, tasks: readonly LifecycleTask[], states: States, awaited: ReadonlySet<string>): Stage {
  const next = nextStage(stage, tasks, states, awaited);
  return next === stage ? stage : advanceStage(next, tasks, states, awaited);
}

function nextStage(stage: Stage, tasks: readonly LifecycleTask[], states: States, awaited: ReadonlySet<string>): Stage {
  if (isGroupOver(tasks, states)) return "poststop";
  const is = (task: LifecycleTask, state: TaskState["State"]): boolean => (states.get(task.Name)?.State ?? "pending") === state;
  const every = (role: Role, holds: (task: LifecycleTask) => boolean): boolean => tasks.every((t) => roleOf(t) !== role || holds(t));
  switch (stage) {
    case "init":
      return tasks.every((t) => !awaited.has(t.Name) || is(t, "pending")) ? "prestart" : stage;
    case "prestart": {
      const done = every("prestart-ephemeral", (t) => is(t, "dead") && !states.get(t.Name)?.Failed);
      return done && every("prestart-sidecar", (t) => is(t, "running")) ? "main" : stage;
    }
    case "main":
      return every("main", (t) => !is(t, "pending")) ? "poststart" : stage;
    case "poststart":
      return every("poststart-ephemeral", (t) => is(t, "dead")) ? "wait-alloc" : stage;
    default:
      return stage;
  }
}

/** Whether every task that is no poststop one has ended for good. */
export const isGroupOver = (tasks: readonly LifecycleTask[], states: States): boolean =>
  tasks.every((t) => isPoststop(t) || states.get(t.Name)?.State === "dead");

/** Why the tasks of a group that still live must end. */
export type GroupVerdict =
  | { readonly kind: "sibling-failed"; readonly sibling: string }
  | { readonly kind: "leader-dead" }
  | { readonly kind: "main-tasks-dead" };

/**
 * Who has to go because of another task of the group. A dead leader comes before a failed sibling as the reason.
 * Source: reference behaviour §4.6.
 *
 * @returns null when all may go on.
 */
export function judgeGroup(tasks: readonly LifecycleTask[], states: States): { verdict: GroupVerdict; doomed: readonly string[] } | null {
  const ours = tasks.filter((t) => !isPoststop(t));
  const isDead = (t: LifecycleTask): boolean => states.get(t.Name)?.State === "dead";
  const alive = ours.filter((t) => !isDead(t));
  if (alive.length === 0) return null;
  const verdict = judge(ours.filter(isDead), alive, states);
  return verdict && { verdict, doomed: alive.map((t) => t.Name) };
}

function judge(dead: readonly LifecycleTask[], alive: readonly LifecycleTask[], states: States): GroupVerdict | null {
  const hasFailed = (t: LifecycleTask): boolean => states.get(t.Name)?.Failed === true;
  if (dead.some((t) => t.Leader && !hasFailed(t))) return { kind: "leader-dead" };
  const failed = dead.find(hasFailed);
  if (failed) return { kind: "sibling-failed", sibling: failed.Name };
  return alive.every(isSidecar) ? { kind: "main-tasks-dead" } : null;
}

/**
 * The order in which the tasks of a group are stopped: those of one phase together, each phase after the one before.
 * Poststop tasks are in none. Source: reference behaviour §4.7.
 */
export function killPhases(tasks: readonly LifecycleTask[]): readonly (readonly string[])[] {
  const ours = tasks.filter((t) => !isPoststop(t));
  const names = (holds: (task: LifecycleTask) => boolean): string[] => ours.filter(holds).map((t) => t.Name);
  const phases = [names((t) => t.Leader), names((t) => !t.Leader && !isSidecar(t)), names((t) => !t.Leader && isSidecar(t))];
  return phases.filter((phase) => phase.length > 0);
}
