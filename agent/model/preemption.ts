import { type Allocation, isClientTerminal, isDesiredTerminal } from "./allocation.js";
import type { Job } from "./job.js";

/** How much less important an allocation has to be to give way. Source: Nomad's preemption. */
const PRIORITY_GAP = 10;

/** The allocations of other jobs that may give way to the job, the least important and then the youngest first. */
export const preemptible = (job: Job, allocs: readonly Allocation[]): readonly Allocation[] =>
  allocs
    .filter((a) => a.JobID !== job.ID || a.Namespace !== job.Namespace)
    .filter((a) => !a.Ingested && !isClientTerminal(a) && !isDesiredTerminal(a) && a.Job.Priority + PRIORITY_GAP <= job.Priority)
    .sort((a, b) => a.Job.Priority - b.Job.Priority || b.CreateIndex - a.CreateIndex);

/**
 * The fewest of the candidates, taken in their order, without which there is room.
 *
 * @param fits whether there is room once these are gone.
 * @returns null when there is none even without all of them.
 */
export function pickVictims<Result>(
  candidates: readonly Allocation[],
  fits: (victims: readonly Allocation[]) => Result | null,
): { readonly victims: readonly Allocation[]; readonly result: Result } | null {
  let result = candidates.length > 0 ? fits(candidates) : null;
  if (result === null) return null;
  // The most important are spared first.
  let victims = candidates;
  for (const spared of [...candidates].reverse()) {
    const fewer = victims.filter((victim) => victim !== spared);
    const other = fewer.length > 0 ? fits(fewer) : null;
    if (other === null) continue;
    victims = fewer;
    result = other;
  }
  return { victims, result };
}
