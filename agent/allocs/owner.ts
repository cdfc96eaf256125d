import { findUser } from "../../drivers/raw_exec/users.js";
import type { Logger } from "../log.js";

/** Whose a directory is. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** Whose a task's files are. @returns null: the agent's, which can give nothing away, or is the task's user. */
export async function fileOwner(user: string, log: Logger): Promise<Owner | null> {
  if (process.getuid?.() !== 0 || user === "") return null;
  // An unknown user is the driver's to refuse, with its own event.
  return findUser(user).catch((error: Error) => {
    log.debug({ user, reason: error.message }, "the task's files stay the agent's");
    return null;
  });
}
