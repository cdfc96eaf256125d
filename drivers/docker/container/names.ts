import { createHash } from "node:crypto";
import type { TaskSpec } from "../../driver.js";
import type { DockerHost } from "../options.js";

/** By these a container is found again. Source of the names with `nomad`: reference behaviour §6.3. */
export const labelNames = {
  alloc: "com.hashicorp.nomad.alloc_id",
  node: "com.hashicorp.nomad.node_id",
  task: "com.hashicorp.nomad.task_name",
  /** The run's id; what holds a group's network has none. */
  run: "allocd.run",
} as const;

/**
 * `<task>-<alloc id>`. The engine takes few characters: a name that had to change more than Nomad would change it gets a
 * mark, so that two tasks never have one container. Source: reference behaviour §6.3.
 */
export function containerName(task: string, allocId: string): string {
  const plain = task.replaceAll("/", "_");
  const safe = plain.replace(/[^a-zA-Z0-9_.-]/g, "_").replace(/^[^a-zA-Z0-9]/, "t$&");
  const mark = safe === plain ? "" : `-${createHash("sha256").update(task).digest("hex").slice(0, 8)}`;
  return `${safe}${mark}-${allocId}`;
}

export const holderName = (allocId: string): string => `nomad_init_${allocId}`;

/** @param extra globs of the labels that are told beside those that containers are found by. */
export function containerLabels(
  { allocId, task, runId, job }: TaskSpec,
  own: ReadonlyMap<string, string>,
  host: DockerHost,
  extra: readonly string[],
): Record<string, string> {
  const told: Record<string, string> = {
    job_name: job.name,
    job_id: job.id,
    parent_job_id: job.parentId,
    task_group_name: job.group,
    namespace: job.namespace,
    node_name: host.nodeName,
  };
  const wanted = Object.entries(told).filter(([name, value]) => value !== "" && extra.some((glob) => matches(glob, name)));
  return {
    ...Object.fromEntries(own),
    ...Object.fromEntries(wanted.map(([name, value]) => [`com.hashicorp.nomad.${name}`, value])),
    [labelNames.alloc]: allocId,
    [labelNames.node]: host.nodeId,
    [labelNames.task]: task,
    [labelNames.run]: runId,
  };
}

const matches = (glob: string, name: string): boolean =>
  new RegExp(
    `^${glob
      .split("*")
      .map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&"))
      .join(".*")}$`,
  ).test(name);
