import { findUser } from "../../drivers/raw_exec/users.js";
import type { Logger } from "../log.js";
import type { Task } from "../model/job.js";

/** Whose a directory is. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** Whose a task's directories are. @returns null: the agent's. */
export async function ownerOf({ User }: Pick<Task, "User">, log: Logger): Promise<Owner | null> {
  if (process.getuid?.() !== 0 || User === "") return null;
  // An unknown user is the driver's to refuse, with its own event.
  return findUser(User).catch((error: Error) => {
    log.debug({ user: User, reason: error.message }, "the task's directories stay the agent's");
    return null;
  });
}
