import type { Readable } from "node:stream";
import type { Logger } from "pino";
import type { OutputStream } from "../../driver.js";
import type { Engine } from "../engine/engine.js";
import { EngineError, isGone } from "../engine/engine-error.js";
import type { WallTime } from "../wall-time.js";
import { Attachment } from "./attachment.js";
import { logMessages, sinceOf, stampOf } from "./log-message.js";
import type { OutputLog } from "./output-log.js";
import { overlap, RecentBytes } from "./overlap.js";
import { replay, replayFrom } from "./replay.js";

/*
 * Output comes by the engine's attach, which loses nothing at any speed: the container waits for us. Its log, which was
 * seen to skip most of what is written fast, is read for what an attachment has missed: while the agent or the engine was
 * away. There counting bytes tells what is new (replay), and comparing tells where a new attachment goes on (overlap).
 */

export interface ContainerLogsDeps {
  readonly engine: Engine;
  readonly containerId: string;
  readonly tty: boolean;
  readonly output: OutputLog;
  readonly time: WallTime;
  readonly log: Logger;
}

const streams: readonly OutputStream[] = [1, 2];
/** After so many bytes the place in the engine's log is looked for again, well before the engine drops it. */
const anchorBytes = 1024 * 1024;
/** What is written at the same time is in the engine's log by then, and has come. */
const settleMs = 5;
/** So often a moment is looked for in which nothing is written. */
const quietRounds = 100;
/** What has come is in the engine's log so much later. */
const logDelayMs = 500;
/** Messages so old are in the engine's log whatever it is doing. */
const settledNs = 1_000_000_000n;
/** After so much silence all output has come. */
const quietMs = 1_000;
const retryMs = { first: 200, most: 5_000 };
/** How long the end of the output is waited for once the container has ended. */
const finishMs = 10_000;

/** Moves the output of one container into its log files, over the death of the engine and of the agent. */
export class ContainerLogs {
  readonly #deps: ContainerLogsDeps;
  readonly #closing = new AbortController();
  #first: Attachment | null = null;
  #following: Promise<void> = Promise.resolve();
  #anchoring: Promise<void> | null = null;
  #gotAt = 0;
  #quiet: NodeJS.Timeout | undefined;

  constructor(deps: ContainerLogsDeps) {
    this.#deps = deps;
  }

  /** Attaches to a container that has not been started: nothing of its output is missed. @throws EngineError. */
  async attach(): Promise<void> {
    this.#first = await this.#attachment();
    this.#first.release({ 1: 0, 2: 0 }, this.#sink);
  }

  follow(): void {
    this.#following = this.#follow().catch((error: unknown) => {
      if (!this.#closing.signal.aborted) this.#deps.log.error({ err: error }, "the container's output is not followed any more");
    });
  }

  /** The container has ended: resolves when all of its output is in the files. */
  async finish(): Promise<void> {
    const late = new AbortController();
    const inTime = await Promise.race([this.#following.then(() => true), this.#deps.time.sleep(finishMs, late.signal).then(() => false)]);
    late.abort();
    if (!inTime) this.#deps.log.warn("the end of the container's output did not come");
    await this.#end();
  }

  /** The agent ends. */
  async close(): Promise<void> {
    await this.#end();
    this.#deps.output.close(false);
  }

  async #end(): Promise<void> {
    this.#closing.abort();
    this.#first?.close();
    clearTimeout(this.#quiet);
    await this.#following;
    await this.#anchoring;
  }

  async #follow(): Promise<void> {
    let live = this.#first;
    while (!this.#closing.signal.aborted) {
      live ??= await this.#takeUp();
      if (!live) return;
      const { ended } = live;
      this.#first = live;
      await ended;
      live = null;
      if (await this.#hasEnded()) return;
    }
  }

  /** Whether the attachment's end was the container's, so that nothing can be missing. */
  async #hasEnded(): Promise<boolean> {
    try {
      return !(await this.#isRunning());
    } catch (error) {
      return isGone(error);
    }
  }

  /** Null: the container has ended, and its output is in the files. */
  async #takeUp(): Promise<Attachment | null> {
    const { time, log } = this.#deps;
    for (let wait = retryMs.first; !this.#closing.signal.aborted; wait = Math.min(2 * wait, retryMs.most)) {
      try {
        if (await this.#isRunning()) return await this.#join();
        await this.#catchUp();
        return null;
      } catch (error) {
        if (isGone(error)) return null;
        if (!this.#closing.signal.aborted)
          log.warn({ reason: (error as Error).message }, "the container's output can not be followed; trying again");
      }
      await time.sleep(wait, this.#closing.signal);
    }
    return null;
  }

  /** Attaches to a running container, without a gap and without a repeat. */
  async #join(): Promise<Attachment> {
    const { time } = this.#deps;
    const live = await this.#attachment();
    try {
      const recent = new RecentBytes(anchorBytes);
      const received = () => ({ 1: live.received(1), 2: live.received(2) });
      let before = received();
      // When nothing is written meanwhile, what has come is what is in the log by now: counting is exact where comparing may not be.
      for (let round = 0; round < quietRounds && !live.isFull; round++) {
        before = received();
        await this.#catchUp((stream, bytes) => recent.add(stream, bytes));
        await time.sleep(settleMs, this.#closing.signal);
        if (streams.every((stream) => before[stream] === live.received(stream))) break;
      }
      const known = (stream: OutputStream): number => overlap(recent.of(stream), live.held(stream), before[stream]);
      live.release({ 1: known(1), 2: known(2) }, this.#sink);
      return live;
    } catch (error) {
      live.close();
      throw error;
    }
  }

  readonly #sink = (stream: OutputStream, bytes: Buffer): void => {
    const { output, time } = this.#deps;
    output.append(stream, bytes);
    this.#gotAt = time.monotonicMs();
    const isFar = streams.some((s) => output.written(s) - (output.anchor(s)?.written ?? 0) > anchorBytes);
    if (!isFar) return;
    if (streams.some((s) => output.anchor(s) === null)) this.#anchorWhenQuiet();
    else this.#anchoring ??= this.#moveAnchors();
  };

  /** Tells the places again where our log and the engine's are the same. */
  async #moveAnchors(): Promise<void> {
    const { output, time } = this.#deps;
    const written = { 1: output.written(1), 2: output.written(2) };
    try {
      await time.sleep(logDelayMs, this.#closing.signal);
      await this.#replay(written, false);
    } catch (error) {
      if (!this.#closing.signal.aborted) this.#deps.log.debug({ err: error }, "the place in the engine's log could not be told");
      await time.sleep(retryMs.most, this.#closing.signal);
    } finally {
      this.#anchoring = null;
    }
  }

  /** The engine drops output faster than it can be counted: its place can be told once there is no more of it. */
  #anchorWhenQuiet(): void {
    const { output, time } = this.#deps;
    this.#quiet ??= setTimeout(() => {
      this.#quiet = undefined;
      if (time.monotonicMs() - this.#gotAt < quietMs) return this.#anchorWhenQuiet();
      for (const stream of streams) output.setAnchor(stream, { at: this.#stamp(), written: output.written(stream), isMessage: false });
    }, quietMs).unref();
  }

  /** Writes what the engine's log has beyond what was written. */
  async #catchUp(onNew?: (stream: OutputStream, bytes: Buffer) => void): Promise<void> {
    const { output, log } = this.#deps;
    const written = () => ({ 1: output.written(1), 2: output.written(2) });
    const wasKnown = streams.every((stream) => output.anchor(stream));
    const gap = await this.#replay(written(), true, onNew);
    if (!gap) return;
    log.warn("output may be missing: the engine has dropped some of its log since it was last read");
    // Only now it is known that counting was of no use.
    if (wasKnown && streams.some((stream) => !output.anchor(stream))) await this.#replay(written(), true, onNew);
  }

  /** @returns whether the engine has dropped some of what was needed. */
  async #replay(
    written: Readonly<Record<OutputStream, number>>,
    write: boolean,
    onNew?: (stream: OutputStream, bytes: Buffer) => void,
  ): Promise<boolean> {
    const { engine, containerId, tty, output, log } = this.#deps;
    const settledAt = this.#stamp(settledNs);
    const { signal } = this.#closing;
    try {
      const source = await engine.log(containerId, sinceOf(replayFrom(output)), signal);
      const { gap } = await replay(logMessages(source, tty), output, { written, write, settledAt, ...(onNew ? { onNew } : {}) });
      return gap;
    } catch (error) {
      // "none", and drivers that send it away: what was missed is lost, what comes is not.
      if (!(error instanceof EngineError) || !/does not support reading/.test(error.said)) throw error;
      log.warn({ reason: error.said }, "output that came while nobody was attached is lost");
      return false;
    }
  }

  async #attachment(): Promise<Attachment> {
    const { engine, containerId, tty } = this.#deps;
    const source = await engine.stream("attach container", this.#closing.signal, (docker, abortSignal) =>
      docker.getContainer(containerId).attach({ stream: true, stdout: true, stderr: true, abortSignal }),
    );
    return new Attachment(source as unknown as Readable, tty);
  }

  async #isRunning(): Promise<boolean> {
    const { engine, containerId } = this.#deps;
    const { State } = await engine.call("inspect container", (docker, abortSignal) =>
      docker.getContainer(containerId).inspect({ abortSignal }),
    );
    return State.Running;
  }

  #stamp(agoNs = 0n): string {
    return stampOf(this.#deps.time.now() - agoNs);
  }
}
