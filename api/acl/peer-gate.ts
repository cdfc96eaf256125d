import type { Socket } from "node:net";
import { AllocdError } from "../../agent/errors.js";
import type { PeerUids } from "./peer-uid.js";

/** Looks at who is at the other end of a connection, before anything that it sends counts. */
export interface Gate {
  /** Resolves once for a connection, and rejects with AllocdError 403 for one that is not let in. */
  admit(socket: Socket): Promise<void>;
}

/**
 * Lets in, over loopback, root and the agent's own user. A local socket's file has its own permissions: whoever comes over
 * one is in.
 */
export class PeerGate implements Gate {
  readonly #uids: ReadonlySet<number>;
  readonly #peers: Pick<PeerUids, "of">;
  readonly #admitted = new WeakMap<Socket, Promise<void>>();

  constructor(uids: readonly number[], peers: Pick<PeerUids, "of">) {
    this.#uids = new Set(uids);
    this.#peers = peers;
  }

  admit(socket: Socket): Promise<void> {
    const known = this.#admitted.get(socket);
    if (known !== undefined) return known;
    // A local socket has no address, a connection that is gone neither, and that one gets no answer anyway.
    const admitted = socket.remoteAddress === undefined ? Promise.resolve() : this.#check(socket);
    admitted.catch(() => {});
    this.#admitted.set(socket, admitted);
    return admitted;
  }

  async #check(socket: Socket): Promise<void> {
    const uid = await this.#peers.of(socket);
    if (uid !== undefined && this.#uids.has(uid)) return;
    const who = uid === undefined ? "a caller whose user can not be told" : `user ${uid}`;
    throw new AllocdError(
      "permission-denied",
      `${who} is not let in: while acl.enabled is false only root and the agent's own user are, and who may use unix_socket`,
    );
  }
}
