import { createHash } from "node:crypto";
import type { Allocation } from "../model/allocation.js";
import type { Service, ServiceCheck } from "../model/job.js";

/** The same for the same check of the same allocation, over restarts of task and agent. Source of the parts: reference behaviour §10. */
export function checkId(alloc: Allocation, service: Service, check: ServiceCheck): string {
  const parts = [
    alloc.ID,
    alloc.Name,
    check.TaskName,
    service.Name,
    check.Name,
    check.Type,
    check.PortLabel || service.PortLabel,
    check.OnUpdate,
    check.AddressMode,
    check.Interval,
    check.Timeout,
    check.Protocol,
    check.Path,
    check.Method,
    check.TLSSkipVerify,
  ];
  return createHash("sha256").update(parts.map(String).join("\0")).digest("hex");
}
