import { type ChildProcessByStdio, spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";

/** A socket of this host. */
export interface SocketOwner {
  readonly uid: number;
  /** 0 when nobody has it open any more. */
  readonly inode: number;
}

/** One end of a connection. */
export type End = readonly [address: string, port: number];

/** How long an answer may take before the helper is given up, in milliseconds: it takes a tenth of one. */
const TIMEOUT_MS = 2_000;

interface Pending {
  readonly resolve: (answer: SocketOwner | undefined) => void;
  readonly reject: (error: Error) => void;
}

/** The helper can not answer, and never will. */
export class NoHelper extends Error {
  override readonly name = "NoHelper";
}

/** Asks the kernel for single sockets, which Node itself can not: by a small process, started with the first question. */
export class PeerHelper {
  readonly #path: string;
  #child: ChildProcessByStdio<Writable, Readable, null> | undefined;
  #pending: Pending[] = [];
  #rest = "";
  #gone = false;

  /** @param path the compiled allocd-peer.c, if it is not beside this file. */
  constructor(path = new URL("./allocd-peer", import.meta.url).pathname) {
    this.#path = path;
  }

  /**
   * @returns undefined when there is no such socket.
   * @throws NoHelper
   */
  ask(peer: End, own: End): Promise<SocketOwner | undefined> {
    if (this.#gone) return Promise.reject(new NoHelper("the helper is gone"));
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#end("the helper does not answer"), TIMEOUT_MS);
      const settled =
        <T>(settle: (value: T) => void) =>
        (value: T): void => {
          clearTimeout(timer);
          settle(value);
        };
      this.#pending.push({ resolve: settled(resolve), reject: settled(reject) });
      this.#started().stdin.write(`${[...peer, ...own].map(plain).join(" ")}\n`);
    });
  }

  /** Ends the process. */
  close(): void {
    this.#end("the helper was closed");
  }

  #started(): ChildProcessByStdio<Writable, Readable, null> {
    if (this.#child) return this.#child;
    const child = spawn(this.#path, { cwd: "/", env: {}, stdio: ["pipe", "pipe", "ignore"] });
    child.on("error", (error) => this.#end(error.message));
    child.on("exit", (code) => this.#end(`the helper has ended with code ${code}`));
    child.stdin.on("error", () => {});
    child.stdout.setEncoding("latin1");
    child.stdout.on("data", (text: string) => this.#read(text));
    this.#child = child;
    return child;
  }

  #read(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) {
      const [, uid, inode] = /^(\d+) (\d+)$/.exec(line) ?? [];
      this.#pending.shift()?.resolve(uid === undefined ? undefined : { uid: Number(uid), inode: Number(inode) });
    }
  }

  #end(reason: string): void {
    this.#gone = true;
    this.#child?.kill("SIGKILL");
    for (const { reject } of this.#pending.splice(0)) reject(new NoHelper(reason));
  }
}

/** Without the name of an interface, and IPv4 as such. */
const plain = (part: string | number): string =>
  String(part)
    .replace(/%.*$/, "")
    .replace(/^::ffff:(?=\d+\.)/i, "");
