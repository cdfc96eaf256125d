import { readFileSync } from "node:fs";

/** The state of a listening socket in /proc/net/tcp. */
const LISTEN = "0A";

/** The TCP ports that something on this host listens on. A host without /proc has none to tell. */
export function listeningPorts(procDir = "/proc"): ReadonlySet<number> {
  const ports = new Set<number>();
  for (const table of ["tcp", "tcp6"]) {
    for (const line of lines(`${procDir}/net/${table}`).slice(1)) {
      const [, local, , state] = line.trim().split(/\s+/);
      const port = Number.parseInt(local?.split(":")[1] ?? "", 16);
      if (state === LISTEN && port > 0) ports.add(port);
    }
  }
  return ports;
}

function lines(path: string): string[] {
  try {
    return readFileSync(path, "utf8").split("\n");
  } catch {
    return [];
  }
}
