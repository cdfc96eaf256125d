import type { Driver, GroupNetworks } from "../../../drivers/driver.js";
import type { TaskGroup } from "../../model/job.js";
import type { AllocHook } from "./alloc-hook.js";

/** Gives the group its network. A job that counts on one of its own must not find itself in the host's. */
export const networkHook: AllocHook = {
  name: "network",
  async prerun({ alloc, group, drivers, signal, network }) {
    const wanted = alloc.AllocatedResources.Shared.Networks?.[0] ?? group.Networks?.[0];
    const mode = wanted?.Mode || "host";
    if (!wanted || mode === "host") return;
    if (mode !== "bridge" && mode !== "none")
      throw new Error(`network mode "${mode}" is not supported on this host, want "host", "bridge" or "none"`);
    const networks = networksOf(group, drivers, mode);
    if (mode === "none") return;
    network(await networks.create({ allocId: alloc.ID, network: wanted, ports: alloc.AllocatedResources.Shared.Ports ?? [], signal }));
  },
  async postrun({ alloc, drivers }) {
    if (alloc.AllocatedResources.Shared.Networks?.[0]?.Mode !== "bridge") return;
    for (const driver of drivers.values()) await driver.networks?.remove(alloc.ID);
  },
};

/** @throws Error for a task that would be outside the group's network. */
function networksOf(group: TaskGroup, drivers: ReadonlyMap<string, Driver>, mode: string): GroupNetworks {
  let networks: GroupNetworks | null = null;
  for (const task of group.Tasks) {
    networks = drivers.get(task.Driver)?.networks ?? null;
    if (!networks) throw new Error(`network mode "${mode}": task "${task.Name}" can not join it with driver "${task.Driver}"`);
  }
  if (!networks) throw new Error(`network mode "${mode}": the group has no tasks`);
  return networks;
}
