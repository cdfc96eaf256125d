import { type AllocatedResources, type Allocation, isClientTerminal } from "./allocation.js";
import type { Node } from "./node.js";

/** What of an allocation bears on whether others fit beside it. */
export type Occupant = Pick<Allocation, "ID" | "PreviousAllocation" | "PreemptedAllocations" | "AllocatedResources" | "ClientStatus">;

/** What one allocation needs of the host. */
export interface Cost {
  /** MHz. */
  readonly cpu: number;
  /** MiB. */
  readonly memory: number;
  /** MiB. */
  readonly disk: number;
  readonly cores: readonly number[];
  readonly ports: readonly number[];
}

const NOTHING: Cost = { cpu: 0, memory: 0, disk: 0, cores: [], ports: [] };

/**
 * What an allocation needs at its worst moment: prestart tasks that end, the main tasks and the poststop tasks never
 * run at the same time, sidecars run beside all of them. Source: Nomad's comparable resources.
 */
export function costOf(resources: AllocatedResources): Cost {
  const known = COSTS.get(resources);
  if (known) return known;
  const cost = addUp(resources);
  COSTS.set(resources, cost);
  return cost;
}

/** Every evaluation asks for the cost of every live allocation, and resources never change once they are given. */
const COSTS = new WeakMap<AllocatedResources, Cost>();

function addUp(resources: AllocatedResources): Cost {
  const sum = { beside: { cpu: 0, memory: 0 }, before: { cpu: 0, memory: 0 }, main: { cpu: 0, memory: 0 }, after: { cpu: 0, memory: 0 } };
  const cores = new Set<number>();
  const ports = new Set((resources.Shared.Ports ?? []).map((port) => port.Value));
  for (const [name, task] of Object.entries(resources.Tasks)) {
    const lifecycle = resources.TaskLifecycles[name];
    const phase = lifecycle?.Sidecar
      ? sum.beside
      : lifecycle?.Hook === "prestart"
        ? sum.before
        : lifecycle?.Hook === "poststop"
          ? sum.after
          : sum.main;
    phase.cpu += task.Cpu.CpuShares;
    phase.memory += task.Memory.MemoryMB;
    for (const core of task.Cpu.ReservedCores ?? []) cores.add(core);
    for (const network of task.Networks ?? []) {
      for (const port of [...(network.ReservedPorts ?? []), ...(network.DynamicPorts ?? [])]) ports.add(port.Value);
    }
  }
  for (const network of resources.Shared.Networks ?? []) {
    for (const port of [...(network.ReservedPorts ?? []), ...(network.DynamicPorts ?? [])]) ports.add(port.Value);
  }
  return {
    cpu: sum.beside.cpu + Math.max(sum.before.cpu, sum.main.cpu, sum.after.cpu),
    memory: sum.beside.memory + Math.max(sum.before.memory, sum.main.memory, sum.after.memory),
    disk: resources.Shared.DiskMB,
    cores: [...cores],
    ports: [...ports].filter((port) => port > 0),
  };
}

/**
 * What the allocations on the host use. One that is stopping counts until its tasks are gone. Its replacement waits for
 * it, so of the replacement only that counts which it needs beyond the one it waits for.
 */
export class Usage {
  readonly #costs = new Map<string, Cost>();
  readonly #ports = new Map<number, string>();
  readonly #cores = new Set<number>();
  #cpu = 0;
  #memory = 0;
  #disk = 0;

  static of(occupants: Iterable<Occupant>): Usage {
    const all = [...occupants];
    const byId = new Map(all.map((a) => [a.ID, a]));
    const live = all.filter((a) => !isClientTerminal(a));
    const costs = new Map(live.map((a) => [a.ID, costOf(a.AllocatedResources)]));
    const usage = new Usage();
    const known = (id: string): Cost => costs.get(id) ?? NOTHING;
    for (const a of live) usage.add(a.ID, known(a.ID), together(awaited(a, (id) => byId.get(id)).map((before) => known(before.ID))));
    return usage;
  }

  get cpu(): number {
    return this.#cpu;
  }
  get memory(): number {
    return this.#memory;
  }
  get disk(): number {
    return this.#disk;
  }

  /** What a live allocation needs; nothing for any other. */
  costOf(allocId: string): Cost | undefined {
    return this.#costs.get(allocId);
  }

  /** What several live allocations need together. */
  costOfAll(allocIds: readonly string[]): Cost {
    return together(allocIds.map((id) => this.#costs.get(id) ?? NOTHING));
  }

  /** Whose port it is. */
  holder(port: number): string | undefined {
    return this.#ports.get(port);
  }

  hasCore(core: number): boolean {
    return this.#cores.has(core);
  }

  add(id: string, cost: Cost, waitsFor: Cost = NOTHING): void {
    const extra = beyond(cost, waitsFor);
    this.#costs.set(id, cost);
    this.#cpu += extra.cpu;
    this.#memory += extra.memory;
    this.#disk += extra.disk;
    for (const port of extra.ports) if (!this.#ports.has(port)) this.#ports.set(port, id);
    for (const core of extra.cores) this.#cores.add(core);
  }

  /**
   * The first dimension that does not fit, or null. Ports are not looked at: whoever picks them asks `holder`.
   *
   * @param waitsFor what the new one waits for, and may therefore have.
   */
  exhausted(node: Node, cost: Cost, waitsFor: Cost = NOTHING): "cpu" | "memory" | "disk" | null {
    const extra = beyond(cost, waitsFor);
    if (extra.cpu > 0 && this.#cpu + extra.cpu > node.Resources.CpuShares - node.Reserved.CpuShares) return "cpu";
    if (extra.memory > 0 && this.#memory + extra.memory > node.Resources.MemoryMB - node.Reserved.MemoryMB) return "memory";
    if (extra.disk > 0 && this.#disk + extra.disk > node.Resources.DiskMB - node.Reserved.DiskMB) return "disk";
    return null;
  }
}

/**
 * The live allocations that one waits for: those whose place it takes, and where one of these has ended without ever having
 * had its turn, those that it waited for in its stead.
 */
export function awaited<T extends Pick<Occupant, "PreviousAllocation" | "PreemptedAllocations" | "ClientStatus">>(
  alloc: Pick<Occupant, "PreviousAllocation" | "PreemptedAllocations">,
  find: (id: string) => T | undefined,
): readonly T[] {
  const found = new Set<T>();
  const seen = new Set<string>();
  const open = [alloc];
  for (let next = open.pop(); next; next = open.pop()) {
    for (const id of [next.PreviousAllocation, ...(next.PreemptedAllocations ?? [])]) {
      const before = seen.has(id) ? undefined : find(id);
      seen.add(id);
      if (!before) continue;
      if (isClientTerminal(before)) open.push(before);
      else found.add(before);
    }
  }
  return [...found];
}

function together(costs: readonly Cost[]): Cost {
  const some = costs.filter((cost) => cost !== NOTHING);
  if (some.length <= 1) return some[0] ?? NOTHING;
  const sum = (of: (cost: Cost) => number): number => some.reduce((total, cost) => total + of(cost), 0);
  return {
    cpu: sum((cost) => cost.cpu),
    memory: sum((cost) => cost.memory),
    disk: sum((cost) => cost.disk),
    cores: some.flatMap((cost) => cost.cores),
    ports: some.flatMap((cost) => cost.ports),
  };
}

const beyond = (cost: Cost, other: Cost): Cost =>
  other === NOTHING
    ? cost
    : {
        cpu: Math.max(0, cost.cpu - other.cpu),
        memory: Math.max(0, cost.memory - other.memory),
        disk: Math.max(0, cost.disk - other.disk),
        cores: cost.cores.filter((core) => !other.cores.includes(core)),
        ports: cost.ports.filter((port) => !other.ports.includes(port)),
      };
