/** An absolute path. */
export type MountPoint = string;

/**
 * What is mounted on a directory or below it, the latest first, so that each can be taken away in its turn.
 *
 * @param mountinfo of proc(5), in which spaces and the like are octal.
 */
export function mountsBelow(mountinfo: string, directory: string): readonly MountPoint[] {
  return mountinfo
    .split("\n")
    .map((line) =>
      (line.split(" ", 5)[4] ?? "").replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))),
    )
    .filter((point) => point === directory || point.startsWith(`${directory}/`))
    .reverse();
}
