import { existsSync } from "node:fs";
import { cgroupsIn, cgroupsNamed, childrenOf, mountsBelow, openFiles, processesAbout } from "./host.js";
import { waitFor } from "./wait.js";

/** What the test process itself holds. */
export interface Holdings {
  readonly connections: number;
  readonly timers: number;
  readonly children: number;
}

export const holdings = (): Holdings => ({
  connections: openFiles("self").filter(({ target }) => /^(socket|pipe):/.test(target)).length,
  timers: process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length,
  children: childrenOf(process.pid).length,
});

/**
 * Asserts that the test process holds no more than before. Sockets and children go a moment after their last event.
 *
 * @throws Error with what is held.
 */
export async function expectNothingHeld(before: Holdings): Promise<void> {
  // The timer of the wait itself is running while it looks at nothing, so it is not counted here.
  const grown = (): readonly string[] => {
    const now = holdings();
    return (Object.keys(before) as (keyof Holdings)[])
      .filter((kind) => now[kind] > before[kind])
      .map((kind) => `${kind}: ${before[kind]} → ${now[kind]}`);
  };
  await waitFor("the test process to hold nothing", () => {
    const left = grown();
    if (left.length > 0) throw new Error(left.join(", "));
    return true;
  });
}

/** What an agent has left on the host, in words; empty when all is well. */
export function leftOnHost(root: string, cgroupParent: string): readonly string[] {
  return [
    ...processesAbout(root).map(({ pid, command }) => `process ${pid}: ${command}`),
    ...mountsBelow(root).map((point) => `mount ${point}`),
    ...cgroupsNamed(cgroupParent)
      .flatMap(cgroupsIn)
      .map((path) => `cgroup ${path}`),
  ];
}

export const directoriesLeft = (roots: readonly string[]): readonly string[] =>
  roots.filter((root) => existsSync(root)).map((root) => `directory ${root}`);
