import { encodeShared } from "./encode-task-state.js";
import type { Job } from "./job.js";

/** GET /v1/job/:id, and the Job inside an allocation. The members are those of the canonical job. */
export const encodeJob = (job: Job): string => encodeShared(job);
