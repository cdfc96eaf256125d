/** `job.group[index]`. */
export const allocName = (jobId: string, group: string, index: number): string => `${jobId}.${group}[${index}]`;

/** The index in an allocation's name, or -1 when the name has none. */
export function nameIndex(name: string): number {
  const digits = /\[(\d+)\]$/.exec(name)?.[1];
  return digits === undefined ? -1 : Number(digits);
}

/** The `count` lowest indexes that are not used. */
export function lowestFree(used: ReadonlySet<number>, count: number): number[] {
  const free: number[] = [];
  for (let index = 0; free.length < count; index++) if (!used.has(index)) free.push(index);
  return free;
}
