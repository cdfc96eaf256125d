import { chmodSync, chownSync, lstatSync, readFileSync, unlinkSync } from "node:fs";
import type { Server } from "node:http";
import { connect } from "node:net";
import { ConfigError } from "../agent/config/config-error.js";
import type { Config } from "../agent/config/schema.js";

/** @returns `host:port` as it really is. */
export async function listenTcp(server: Server, { bind_addr: host, port }: Config): Promise<string> {
  try {
    await listening(server, () => server.listen(port, host));
  } catch (error) {
    const inUse = (error as NodeJS.ErrnoException).code === "EADDRINUSE";
    throw new ConfigError(
      inUse ? `port: got ${port}, want a free one: ${host}:${port} is in use` : `bind_addr: got "${host}": ${(error as Error).message}`,
    );
  }
  const bound = server.address();
  const actual = typeof bound === "object" && bound ? bound.port : port;
  return host.includes(":") ? `[${host}]:${actual}` : `${host}:${actual}`;
}

/** Listens on a local socket that only the agent's user may open, and a group if there is to be one. */
export async function listenLocal(server: Server, { path, group }: Config["unix_socket"]): Promise<void> {
  const gid = group === "" ? undefined : gidOf(group);
  try {
    await removeStale(path);
    // Node binds within the call: nobody can open it before it has its mode.
    const mask = process.umask(0o177);
    const done = listening(server, () => server.listen(path));
    process.umask(mask);
    await done;
    if (gid === undefined) return;
    chownSync(path, process.getuid?.() ?? 0, gid);
    chmodSync(path, 0o660);
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw new ConfigError(`unix_socket.path: got "${path}": ${(error as Error).message}`, { cause: error });
  }
}

function listening(server: Server, start: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.once("listening", () => {
      server.off("error", reject);
      resolve();
    });
    start();
  });
}

/** What an agent that was killed has left behind. */
async function removeStale(path: string): Promise<void> {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return;
  if (!stat.isSocket()) throw new ConfigError(`unix_socket.path: got "${path}", want a path that is free: it is no socket`);
  if (await answers(path)) throw new ConfigError(`unix_socket.path: got "${path}", want one that is not in use`);
  unlinkSync(path);
}

const answers = (path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });

function gidOf(group: string): number {
  if (/^\d{1,10}$/.test(group)) return Number(group);
  const line = readFileSync("/etc/group", "utf8")
    .split("\n")
    .find((entry) => entry.startsWith(`${group}:`));
  const gid = line?.split(":")[2];
  if (gid === undefined) throw new ConfigError(`unix_socket.group: got "${group}", want a group of this host`);
  return Number(gid);
}
