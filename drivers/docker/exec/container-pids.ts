import { existsSync, readdirSync, readFileSync } from "node:fs";

/** Any of them will do: a container has its own cgroup in all. */
const controllers = ["memory", "pids", "freezer", "cpu"] as const;

/**
 * The directory of the cgroup that a process is in.
 *
 * @param procDir "/proc" but for tests.
 * @returns undefined when there is none that can be looked into from here.
 */
export function cgroupDirOf(pid: number, procDir = "/proc"): string | undefined {
  try {
    const mounts = mountPoints(readFileSync(`${procDir}/self/mounts`, "utf8"));
    for (const line of readFileSync(`${procDir}/${pid}/cgroup`, "utf8").split("\n")) {
      const [, names = "", path = ""] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
      const controller = names === "" ? "" : controllers.find((name) => names.split(",").includes(name));
      const mount = controller === undefined ? undefined : mounts.get(controller);
      // Processes of the root are those of the whole host.
      if (mount !== undefined && path !== "/" && existsSync(`${mount}${path}/cgroup.procs`)) return `${mount}${path}`;
    }
  } catch {
    // The process is gone, or not ours to look at.
  }
  return undefined;
}

/** The processes in a cgroup and those below it; none when it is gone. */
export function pidsInCgroup(dir: string): number[] {
  try {
    const own = readFileSync(`${dir}/cgroup.procs`, "utf8").split("\n").filter(Boolean).map(Number);
    const below = readdirSync(dir, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    return [...own, ...below.flatMap(({ name }) => pidsInCgroup(`${dir}/${name}`))];
  } catch {
    return [];
  }
}

/** By controller; "" for version 2. */
function mountPoints(mounts: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const line of mounts.split("\n")) {
    const [, dir, type, options = ""] = line.split(" ");
    if (dir === undefined) continue;
    if (type === "cgroup2") found.set("", dir);
    if (type === "cgroup") for (const option of options.split(",")) found.set(option, dir);
  }
  return found;
}
