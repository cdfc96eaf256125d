import type { Job } from "../model/job.js";
import { isParent } from "../model/parent-job.js";
import type { UnixNano } from "../model/units.js";
import type { Change } from "../store/state-store.js";

/** The change that makes `job` the next version of what is known under its id. Its indexes are the store's to stamp. */
export const nextVersion = (job: Job, known: Job | undefined, now: UnixNano): Change & { readonly kind: "job" } => ({
  kind: "job",
  spec: true,
  job: {
    ...job,
    Version: known ? known.Version + 1 : 0,
    Status: isParent(job) ? (job.Stop ? "dead" : "running") : known?.Status === "running" ? "running" : "pending",
    StatusDescription: "",
    Stable: false,
    SubmitTime: now,
    CreateIndex: known?.CreateIndex ?? 0,
    ModifyIndex: known?.ModifyIndex ?? 0,
    JobModifyIndex: known?.JobModifyIndex ?? 0,
  },
});
