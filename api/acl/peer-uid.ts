import { readFile } from "node:fs/promises";
import type { Socket } from "node:net";
import { type End, NoHelper, type PeerHelper, type SocketOwner } from "./peer-helper.js";

type Table = "tcp" | "tcp6";

/** How often a table is read again in which the connection is not: it is not read in one go, and rows move meanwhile. */
const TRIES = 3;

/**
 * Tells which user a connection over loopback comes from, by what the kernel knows: nothing that the peer says. A socket
 * without an owner is said to be of uid 0, so an answer counts only with its inode.
 *
 * The kernel is asked for the one socket. Where it does not take such questions its tables are read; that takes milliseconds,
 * and the more the more connections there are, so they are read once for all connections that came before. Either is once
 * a connection.
 */
export class PeerUids {
  readonly #known = new WeakMap<Socket, Promise<number | undefined>>();
  readonly #tables: Readonly<Record<Table, SharedRead>>;

  readonly #helper: Pick<PeerHelper, "ask"> | undefined;

  /**
   * @param helper absent: only the tables are read.
   * @param read gives a table's text.
   */
  constructor(helper?: Pick<PeerHelper, "ask">, read = (table: Table): Promise<string> => readFile(`/proc/net/${table}`, "latin1")) {
    this.#helper = helper;
    // A kernel without IPv6 has no table of it.
    const shared = (table: Table): SharedRead => new SharedRead(() => read(table).catch(() => ""));
    this.#tables = { tcp: shared("tcp"), tcp6: shared("tcp6") };
  }

  /** @returns undefined when it can not be told, as for a peer that has gone. */
  of(socket: Socket): Promise<number | undefined> {
    const known = this.#known.get(socket);
    if (known !== undefined) return known;
    const uid = this.#lookUp(socket);
    this.#known.set(socket, uid);
    return uid;
  }

  async #lookUp({ remoteAddress, remotePort, localAddress, localPort }: Socket): Promise<number | undefined> {
    if (remoteAddress === undefined || remotePort === undefined || localAddress === undefined || localPort === undefined) return undefined;
    const owner = await this.#owner([remoteAddress, remotePort], [localAddress, localPort]);
    return owner === undefined || owner.inode === 0 ? undefined : owner.uid;
  }

  async #owner(peer: End, own: End): Promise<SocketOwner | undefined> {
    try {
      if (this.#helper) return await this.#helper.ask(peer, own);
    } catch (error) {
      if (!(error instanceof NoHelper)) throw error;
    }
    return this.#inTables(peer, own);
  }

  async #inTables(peer: End, own: End): Promise<SocketOwner | undefined> {
    for (let tries = 0; tries < TRIES; tries++) {
      for (const table of ["tcp", "tcp6"] as const) {
        const row = rowOf(await this.#tables[table].next(), table, peer, own);
        if (row !== undefined) return row;
      }
    }
    return undefined;
  }
}

/** Reads something for all who ask meanwhile: nobody gets what was read before they asked. */
class SharedRead {
  #running: Promise<string> | undefined;
  #waiting: Promise<string> | undefined;

  constructor(readonly read: () => Promise<string>) {}

  next(): Promise<string> {
    if (this.#running === undefined) return this.#start();
    this.#waiting ??= this.#running.then(() => {
      this.#waiting = undefined;
      return this.#start();
    });
    return this.#waiting;
  }

  #start(): Promise<string> {
    const running = this.read();
    this.#running = running;
    return running.finally(() => {
      if (this.#running === running) this.#running = undefined;
    });
  }
}

function rowOf(text: string, table: Table, from: End, to: End): SocketOwner | undefined {
  const ends = [from, to].map(([address, port]) => {
    const hex = addressHex(address, table);
    return hex === undefined ? undefined : `${hex}:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  });
  if (ends.includes(undefined)) return undefined;
  const needle = `: ${ends.join(" ")} `;
  const at = text.indexOf(needle);
  if (at < 0) return undefined;
  const columns = text
    .slice(at + needle.length, at + needle.length + 200)
    .trimStart()
    .split(/\s+/);
  // state, queues, timer, retransmissions, uid, timeout, inode
  return { uid: Number(columns[4]), inode: Number(columns[6]) };
}

/** As the kernel writes it: words of four bytes, each in the host's order. */
function addressHex(address: string, table: Table): string | undefined {
  const four = /^(?:::ffff:)?(\d+)\.(\d+)\.(\d+)\.(\d+)$/i.exec(address);
  if (four !== null) {
    const word = four
      .slice(1)
      .reverse()
      .map((part) => Number(part).toString(16).padStart(2, "0"))
      .join("")
      .toUpperCase();
    return table === "tcp" ? word : `0000000000000000FFFF0000${word}`;
  }
  return table === "tcp6" && address === "::1" ? "00000000000000000000000001000000" : undefined;
}
