import type Docker from "dockerode";
import type { Logger } from "pino";
import type { Time } from "../time.js";
import type { AuthConfig } from "./auth-config.js";
import { followEngine } from "./engine-progress.js";
import type { ImageReference } from "./image-reference.js";
import { PullProgress } from "./pull-progress.js";

export interface PullOptions {
  readonly auth: AuthConfig | undefined;
  readonly stallMs: number;
  /** How often `tell` is called, in milliseconds. */
  readonly progressMs: number;
  readonly signal: AbortSignal;
  readonly time: Time;
  readonly log: Logger;
  /** Says how far it is. */
  tell(message: string): void;
}

/** Has the engine pull an image. @throws PullFailure. */
export async function pullImage(docker: Docker, reference: ImageReference, options: PullOptions): Promise<void> {
  const { auth, stallMs, signal, time, log } = options;
  const startMs = time.monotonicMs();
  const progress = new PullProgress(startMs);
  const over = new AbortController();
  log.info("an image is being pulled");
  void report(progress, over.signal, options);
  try {
    await followEngine({
      open: (abortSignal) =>
        // Without a tag the engine would pull all there are; it takes a digest for one.
        docker.createImage(auth, { fromImage: reference.repository, tag: reference.digest || reference.tag, abortSignal }),
      take: (line) => progress.take(line),
      stallMs,
      signal,
      time,
    });
    log.info({ ms: Math.round(time.monotonicMs() - startMs) }, "an image was pulled");
  } finally {
    over.abort();
  }
}

async function report(progress: PullProgress, over: AbortSignal, { progressMs, time, log, tell }: PullOptions): Promise<void> {
  for (;;) {
    await time.sleep(progressMs, over);
    if (over.aborted) return;
    const message = `Docker image pull progress: ${progress.text(time.monotonicMs())}`;
    log.info(message);
    tell(message);
  }
}
