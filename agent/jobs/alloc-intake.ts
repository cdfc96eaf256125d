import { AllocdError } from "../errors.js";
import { type Allocation, type DesiredAllocation, isClientTerminal, isDesiredTerminal } from "../model/allocation.js";
import { type AllocationIntake, allocationFromApi } from "../model/allocation-intake.js";
import { costOf, type Usage } from "../model/fit.js";
import type { Node } from "../model/node.js";
import { sameJson } from "../model/same-json.js";
import type { StateStore } from "../store/state-store.js";
import type { Scheduler } from "./scheduler.js";

export interface AllocIntakeDeps {
  readonly store: StateStore;
  readonly node: () => Node;
  readonly scheduler: Scheduler;
}

/** Takes allocations from a control plane: each may be handed in any number of times, in any order. */
export class AllocIntake {
  readonly #deps: AllocIntakeDeps;

  constructor(deps: AllocIntakeDeps) {
    this.#deps = deps;
  }

  /**
   * @param pathId the id in the path.
   * @throws InvalidField, AllocdError `invalid` or `conflict`; nothing is stored then.
   */
  async put(pathId: string, input: unknown): Promise<{ readonly Index: number }> {
    const { store, node, scheduler } = this.#deps;
    const incoming = allocationFromApi(input);
    const id = incoming.ID;
    if (id !== pathId.toLowerCase()) {
      throw new AllocdError("invalid", `ID: got ${JSON.stringify(id)}, want the path's ${JSON.stringify(pathId)}`);
    }
    return scheduler.exclusive(lockOf(incoming), async () => {
      if (store.isTombstone(id)) refuse(`allocation ${id} was removed and does not run again`);
      const self = node();
      if (incoming.NodeID !== "" && incoming.NodeID !== self.ID)
        refuse(`NodeID: allocation ${id} is for node ${incoming.NodeID}, this is ${self.ID}`);
      const { AllocModifyIndex, ClientStatus: _, ...desired } = incoming;
      const wanted: DesiredAllocation = { ...desired, NodeID: self.ID, NodeName: self.Name, Ingested: true, SourceIndex: AllocModifyIndex };
      const known = store.alloc(id);
      if (known) return { Index: await this.#update(known, wanted) };
      if (isDesiredTerminal(wanted) || isOver(incoming)) refuse(`allocation ${id} is over: ${overText(incoming)}`);
      requireRoom(wanted, self, scheduler.usage());
      return { Index: await scheduler.commitCreating([wanted], [{ kind: "alloc-create", alloc: wanted }]) };
    });
  }

  /** @throws AllocdError `alloc-not-found`, or `conflict` while it runs. */
  async delete(id: string): Promise<{ readonly Index: number }> {
    const { store, scheduler } = this.#deps;
    const find = (): Allocation => {
      const alloc = store.alloc(id);
      if (!alloc) throw new AllocdError("alloc-not-found", "alloc not found");
      return alloc;
    };
    return scheduler.exclusive(lockOf(find()), async () => {
      const { ClientStatus, ...alloc } = find();
      if (!isClientTerminal({ ClientStatus })) refuse(`allocation ${alloc.ID} is ${ClientStatus}; stop it first`);
      return { Index: await store.commit([{ kind: "alloc-delete", id }], { refusable: true }) };
    });
  }

  async #update(known: Allocation, wanted: DesiredAllocation): Promise<number> {
    const { store } = this.#deps;
    const { ID: id, SourceIndex } = known;
    if (!known.Ingested) refuse(`allocation ${id} was placed by a job of this host`);
    if (wanted.SourceIndex < SourceIndex)
      refuse(`AllocModifyIndex: got ${wanted.SourceIndex}, but allocation ${id} is already at ${SourceIndex}`);
    // A repeat: whatever it says was said before.
    if (wanted.SourceIndex <= SourceIndex) return known.ModifyIndex;
    if (!isDesiredTerminal(wanted) && (isClientTerminal(known) || isDesiredTerminal(known))) {
      refuse(`allocation ${id} is over and does not run again: ${overText(known)}`);
    }
    for (const member of FIXED) {
      if (!sameJson(wanted[member], known[member])) refuse(`${member}: allocation ${id} can not change it any more`);
    }
    const {
      ID: _id,
      NodeID: _node,
      NodeName: _name,
      AllocatedResources: _resources,
      Metrics: _metrics,
      Ingested: _ingested,
      ...patch
    } = wanted;
    return store.commit([{ kind: "alloc-desired", id, patch }], { refusable: true });
  }
}

/** What decides where and as what an allocation runs. */
const FIXED = ["Namespace", "JobID", "TaskGroup", "Name", "AllocatedResources"] as const;

/** Allocations that are handed in compete with those of jobs only for room, which `commitCreating` settles at once. */
const lockOf = (alloc: Pick<Allocation, "Namespace" | "JobID">): { readonly namespace: string; readonly id: string } => ({
  namespace: alloc.Namespace,
  id: alloc.JobID,
});

const isOver = ({ ClientStatus }: AllocationIntake): boolean => isClientTerminal({ ClientStatus });

const overText = ({ DesiredStatus, ClientStatus }: { readonly DesiredStatus: string; readonly ClientStatus?: string }): string =>
  `DesiredStatus ${DesiredStatus}${ClientStatus ? `, ClientStatus ${ClientStatus}` : ""}`;

function requireRoom(wanted: DesiredAllocation, node: Node, usage: Usage): void {
  const cost = costOf(wanted.AllocatedResources);
  const before = usage.costOf(wanted.PreviousAllocation);
  for (const port of cost.ports) {
    const holder = usage.holder(port);
    if (holder !== undefined && !before?.ports.includes(port)) refuse(`port ${port} is taken by allocation ${holder}`);
  }
  const core = cost.cores.find((c) => usage.hasCore(c) && !before?.cores.includes(c));
  if (core !== undefined) refuse(`core ${core} is taken by another allocation`);
  const dimension = usage.exhausted(node, cost, before);
  if (!dimension) return;
  const { asked, used, total } = {
    cpu: { asked: cost.cpu, used: usage.cpu, total: node.Resources.CpuShares - node.Reserved.CpuShares },
    memory: { asked: cost.memory, used: usage.memory, total: node.Resources.MemoryMB - node.Reserved.MemoryMB },
    disk: { asked: cost.disk, used: usage.disk, total: node.Resources.DiskMB - node.Reserved.DiskMB },
  }[dimension];
  const unit = dimension === "cpu" ? "MHz" : "MiB";
  refuse(
    `${dimension} is exhausted on this node: allocation ${wanted.ID} asks for ${asked} ${unit}, ${Math.max(0, total - used)} of ${total} ${unit} are free`,
  );
}

function refuse(why: string): never {
  throw new AllocdError("conflict", why);
}
