import { type ChildProcessByStdio, spawn } from "node:child_process";
import { closeSync, constants, fchownSync, fstatSync, openSync } from "node:fs";
import type { Readable, Writable } from "node:stream";
import { closingFds, guardShell } from "./launch.js";
import type { RunUser } from "./protocol.js";

export interface PipeEnds {
  /** Written to without blocking. */
  readonly ours: number;
  readonly theirs: number;
}

/** dash can name descriptors 3 to 9. */
const fds = [3, 4, 5, 6, 7, 8, 9] as const;
const refillBelow = 7;

/** A here-document is an anonymous pipe in dash: each line on stdin makes it hold a fresh set of them. */
const script = `while read -r _; do
exec ${fds.map((fd) => `${fd}<<E`).join(" ")}
${fds.map(() => "E").join("\n")}
echo
done`;

/**
 * Anonymous pipes for the stdin of exec sessions. A FIFO will not do there: opening /dev/stdin again when its writer is
 * gone already would wait for ever. Node has no pipe(2) (what it calls a pipe is a pair of sockets, which can not be opened
 * again at all), so a small shell makes them and both ends are opened through /proc.
 */
export class PipePool {
  #maker: ChildProcessByStdio<Writable, Readable, null> | undefined;
  readonly #free: PipeEnds[] = [];
  #filling: Promise<void> | undefined;

  readonly #masters: ReadonlySet<number>;

  /** @param masters descriptors of terminals, which must not reach the maker. */
  constructor(masters: ReadonlySet<number>) {
    this.#masters = masters;
    this.#fill().catch(() => {});
  }

  /** @throws Error when no pipe can be made. */
  async take(user: RunUser | null): Promise<PipeEnds> {
    while (this.#free.length === 0) await this.#fill();
    const ends = this.#free.pop() as PipeEnds;
    // A failure is seen by whoever finds the pool empty.
    if (this.#free.length < refillBelow) this.#fill().catch(() => {});
    if (user) fchownSync(ends.theirs, user.uid, user.gid);
    return ends;
  }

  close(): void {
    this.#maker?.kill();
    for (const ends of this.#free.splice(0)) closePipe(ends);
  }

  #fill(): Promise<void> {
    this.#filling ??= this.#ask().finally(() => {
      this.#filling = undefined;
    });
    return this.#filling;
  }

  #ask(): Promise<void> {
    this.#maker ??= this.#start();
    const maker = this.#maker;
    return new Promise((resolve, reject) => {
      const ended = (): void => reject(new Error("the maker of pipes has ended"));
      // One that could not be started has no exit.
      for (const event of ["exit", "error"]) maker.once(event, ended);
      maker.stdout.once("data", () => {
        for (const event of ["exit", "error"]) maker.off(event, ended);
        try {
          this.#collect(maker.pid ?? 0);
          resolve();
        } catch (error) {
          reject(error);
        }
      });
      maker.stdin.write("\n");
    });
  }

  #start(): ChildProcessByStdio<Writable, Readable, null> {
    const words = closingFds([...this.#masters], [guardShell, "-c", script, "allocd-pipes"]);
    const maker = spawn(words[0] as string, words.slice(1), { stdio: ["pipe", "pipe", "ignore"], env: {} });
    const gone = (): void => {
      if (this.#maker === maker) this.#maker = undefined;
    };
    maker.once("exit", gone);
    maker.on("error", gone);
    maker.stdin.on("error", () => {});
    return maker;
  }

  #collect(pid: number): void {
    for (const fd of fds) {
      const path = `/proc/${pid}/fd/${fd}`;
      const theirs = openSync(path, constants.O_RDONLY);
      if (!fstatSync(theirs).isFIFO()) {
        closeSync(theirs);
        throw new Error(`${guardShell} makes no pipe of a here-document`);
      }
      try {
        this.#free.push({ theirs, ours: openSync(path, constants.O_WRONLY | constants.O_NONBLOCK) });
      } catch (error) {
        closeSync(theirs);
        throw error;
      }
    }
  }
}

export function closePipe({ ours, theirs }: PipeEnds): void {
  closeSync(ours);
  closeSync(theirs);
}
