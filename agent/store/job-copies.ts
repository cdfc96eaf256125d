import { createHash } from "node:crypto";
import type { Job } from "../model/job.js";
import { encodeJson } from "../model/json.js";

export interface JobCopy {
  readonly digest: string;
  readonly body: string;
}

/**
 * The digests under which the jobs inside allocations are stored. Allocations of one version share one object, so a job
 * is encoded once for all of them.
 */
export class JobCopies {
  readonly #digests = new WeakMap<Job, string>();

  digestOf(job: Job): string {
    return this.#digests.get(job) ?? this.copyOf(job).digest;
  }

  copyOf(job: Job): JobCopy {
    const body = encodeJson(job);
    const digest = this.#digests.get(job) ?? createHash("sha256").update(body).digest("base64url");
    this.#digests.set(job, digest);
    return { digest, body };
  }

  /** Says under which digest a job was found on disk. */
  remember(job: Job, digest: string): void {
    this.#digests.set(job, digest);
  }
}
