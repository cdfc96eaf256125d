import type { Task } from "../../model/job.js";
import { writeBelow } from "../write-below.js";
import type { TaskHook } from "./task-hook.js";

/** Writes what a dispatch carried to where the task asks for it, once for all runs. */
export const dispatchPayloadHook: TaskHook = {
  name: "dispatch_payload",
  prestart({ alloc, task, dirs, isRepeat }) {
    const { Payload } = alloc.Job;
    const file = fileOf(task);
    if (isRepeat || file === "" || typeof Payload !== "string" || Payload === "") return;
    writeBelow(dirs.local, file, Buffer.from(Payload, "base64"), 0o644);
  },
};

function fileOf({ DispatchPayload }: Task): string {
  const file = (DispatchPayload as { readonly File?: unknown } | null | undefined)?.File;
  return typeof file === "string" ? file : "";
}
