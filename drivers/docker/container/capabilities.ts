import { TaskConfigError } from "../../driver.js";
import { capability } from "../config/resources-config.js";

/** What the engine gives to every container. Source: moby's default capabilities. */
const engineDefaults =
  "CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE"
    .split(" ")
    .map(capability);

export interface Capabilities {
  /** Null: none. */
  readonly add: readonly string[] | null;
  readonly drop: readonly string[] | null;
}

/**
 * What to add to and drop from the engine's own set. What is not allowed is dropped from that too.
 *
 * @param allowed in any case, with or without CAP_; "all" is any.
 * @throws TaskConfigError that names the capabilities that are not allowed.
 */
export function capabilities(add: readonly string[], drop: readonly string[], allowed: readonly string[]): Capabilities {
  const may = new Set(allowed.map(capability));
  const isAllowed = (cap: string): boolean => may.has("ALL") || may.has(cap);
  const refused = add.filter((cap) => !isAllowed(cap));
  if (refused.length > 0)
    throw new TaskConfigError(
      `cap_add: driver does not allow the following capabilities: ${refused.map((cap) => cap.replace("CAP_", "").toLowerCase()).join(", ")}`,
    );
  const dropped = drop.includes("ALL") ? ["ALL"] : [...new Set([...drop, ...engineDefaults.filter((cap) => !isAllowed(cap))])];
  const isThere = (cap: string): boolean => engineDefaults.includes(cap) && !dropped.includes(cap) && !dropped.includes("ALL");
  const added = add.filter((cap) => !isThere(cap));
  return { add: added.length > 0 ? added : null, drop: dropped.length > 0 ? dropped.filter((cap) => !add.includes(cap)) : null };
}
