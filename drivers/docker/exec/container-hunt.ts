import type Docker from "dockerode";
import { EngineExec } from "./engine-exec.js";
import type { ProcessHunt } from "./process-hunt.js";

/** Exit codes are what tells the number of processes; those above say that the shell has failed. */
const maxCount = 100;

/** A process without environment and arguments, but with a program, is in its exec: it counts, for it may be one of them. */
const script = `n=0
for dir in /proc/[0-9]*; do
  if tr '\\0' '\\n' <"$dir/environ" 2>/dev/null | grep -qxF "$1"; then
    [ "$2" = 0 ] || kill -"$2" "\${dir#/proc/}" 2>/dev/null || continue
  elif [ -n "$(tr -d '\\0' 2>/dev/null <"$dir/environ")$(tr -d '\\0' 2>/dev/null <"$dir/cmdline")" ] || [ ! -e "$dir/exe" ]; then
    continue
  fi
  n=$((n + 1))
done
[ $n -le ${maxCount} ] || n=${maxCount}
exit $n`;

/**
 * The processes of a session as the container shows them: for an agent that may not signal them itself, as one that is not
 * root. It needs sh, tr and grep in the container.
 */
export class ContainerHunt implements ProcessHunt {
  readonly #docker: Docker;
  readonly #containerId: string;
  readonly #mark: string;

  /** @param mark `NAME=value`, unique for ever. */
  constructor(docker: Docker, containerId: string, mark: string) {
    this.#docker = docker;
    this.#containerId = containerId;
    this.#mark = mark;
  }

  /** @throws Error when it can not be told. */
  async signal(signal: number): Promise<number> {
    const exec = await EngineExec.create(this.#docker, this.#containerId, {
      command: ["sh", "-c", script, "allocd-hunt", this.#mark, String(signal)],
      tty: false,
      size: null,
      // A command may have changed its user.
      user: "0",
      env: {},
    });
    const stream = await exec.start();
    await new Promise((resolve) => {
      stream.once("close", resolve);
      stream.once("error", resolve);
      stream.resume();
    });
    const { exitCode } = await exec.state();
    if (exitCode === null || exitCode > maxCount) throw new Error("the container has no shell that could look for the processes");
    return exitCode;
  }

  count(): Promise<number> {
    return this.signal(0);
  }
}
