import { type LauncherHandover, LauncherProcess, type StartedSession } from "./launcher-process.js";
import type { RunUser, SessionExit } from "./protocol.js";

/** How a command is started, whatever it is for. */
interface Command {
  readonly id: string;
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly user: RunUser | null;
  /** Directories of the cgroups that it joins. */
  readonly cgroups: readonly string[];
  /** The path of its terminal's slave; null for pipes. */
  readonly tty: string | null;
}

export interface RunCommand extends Command {
  readonly runDir: string;
  /** The FIFO by which the guard says that there is news. */
  readonly notice: string;
  readonly guardCgroups: readonly string[];
  readonly oomScoreAdj: number;
  /** Paths of FIFOs for stdout and stderr; null: thrown away. */
  readonly output: { readonly stdout: string; readonly stderr: string } | null;
}

/**
 * The small process that starts every command, for a spawn from Node would stop the shim for longer than a start may take
 * (launch/launch.h). One that dies is replaced at the next start; guards and commands go on without it.
 */
export class Launcher {
  /** Called when a run's guard could not be started, or has ended. */
  onRun: (runId: string, failure: string | null) => void = () => {};

  readonly #owner: string;
  #current: LauncherProcess;
  /** Of the shim that was here before, for as long as its sessions go on. */
  readonly #earlier: LauncherProcess[];
  #closed = false;

  /**
   * @param owner the shim's runtime directory, by which its launcher and guards are told from another's in a list of processes.
   * @param earlier what the shim before us has handed over.
   */
  constructor(owner: string, earlier: readonly LauncherHandover[] = []) {
    this.#owner = owner;
    this.#earlier = earlier.map((handover) => LauncherProcess.adopt(handover));
    // At once: the first start should not pay for it.
    this.#current = this.#launch();
  }

  /** Asks for a guard, which makes the run's record before the command. @throws when that can not even be asked for. */
  startRun(run: RunCommand): void {
    const { stdout, stderr } = run.output ?? { stdout: "", stderr: "" };
    const words = ["run", ...placeWords(run, String(run.oomScoreAdj)), stdout, stderr, run.runDir, run.notice];
    this.#process().startRun(run.id, [...words, ...listWords(run.guardCgroups), ...commandWords(run)]);
  }

  /** Resolves when the command runs. @throws when it does not; nothing is left then. */
  async startSession(session: Command): Promise<StartedSession> {
    const words = ["session", ...placeWords(session, ""), "", "", "", "", "0", ...commandWords(session)];
    return this.#process().startSession(session.id, words);
  }

  /** How the command of a session ends that was handed over. @param launcher the number of its launcher's process. */
  async awaitSession(id: string, launcher: number): Promise<SessionExit> {
    const process = this.#earlier.find(({ pid }) => pid === launcher);
    if (!process) return { exitCode: -1, signal: 0, reason: "its launcher was not handed over" };
    const exit = await process.awaitSession(id);
    if (process.isIdle) process.close();
    return exit;
  }

  /**
   * Mounts a tmpfs, or with empty options takes away what is mounted.
   *
   * @returns the errno; 0 when it is done. @throws when it can not be tried.
   */
  async mount(id: string, path: string, options: string): Promise<number> {
    return this.#process().mount(id, ["mount", id, path, options]);
  }

  close(): void {
    this.#closed = true;
    for (const process of [this.#current, ...this.#earlier]) process.close();
  }

  /** Stops listening to all launchers that are there, for a successor that will. */
  handOver(): LauncherHandover[] {
    return [this.#current, ...this.#earlier].flatMap((process) => process.handOver() ?? []);
  }

  /** Undoes `handOver`. */
  takeBack(): void {
    for (const process of [this.#current, ...this.#earlier]) process.takeBack();
  }

  #process(): LauncherProcess {
    if (this.#closed) throw new Error("the shim ends");
    if (this.#current.isGone) this.#current = this.#launch();
    return this.#current;
  }

  #launch(): LauncherProcess {
    return LauncherProcess.start(this.#owner, (runId, failure) => this.onRun(runId, failure));
  }
}

const listWords = (words: readonly string[]): string[] => [String(words.length), ...words];

const placeWords = ({ id, cwd, user, tty }: Command, oomScoreAdj: string): string[] => [
  id,
  cwd,
  ...(user ? [String(user.uid), String(user.gid), user.known ? "known" : ""] : ["", "", ""]),
  oomScoreAdj,
  tty ?? "",
];

const commandWords = ({ cgroups, argv, env }: Command): string[] => [
  ...listWords(cgroups),
  ...listWords(argv),
  // No program can be given a variable without a name.
  ...listWords(Object.entries(env).flatMap(([name, value]) => (name === "" ? [] : [`${name}=${value}`]))),
];
