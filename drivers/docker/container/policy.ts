import { TaskConfigError } from "../../driver.js";
import type { DockerTaskConfig } from "../config/task-config.js";
import type { DockerOptions } from "../options.js";

/** Namespaces of the container's own: nobody needs to allow these. */
const ownModes = ["", "private", "shareable", "none"];

/** What an operator has to allow before a task can have it. Source of the texts: reference behaviour §6.2. @throws TaskConfigError. */
export function checkAllowed(config: DockerTaskConfig, options: DockerOptions): void {
  if (config.privileged && !options.allowPrivileged) throw new TaskConfigError("Docker privileged mode is disabled on this Nomad agent");
  if (config.runtime !== "" && !options.allowRuntimes.includes(config.runtime))
    throw new TaskConfigError(`requested runtime ${JSON.stringify(config.runtime)} is not allowed`);
  const modes = { pid: config.pidMode, ipc: config.ipcMode, userns: config.usernsMode, uts: config.utsMode };
  for (const [kind, mode] of Object.entries(modes) as [keyof typeof modes, string][]) {
    if (!ownModes.includes(mode) && !options.allowPrivileged && !options.allowedModes[kind].includes(mode))
      throw new TaskConfigError(
        `cannot apply "${kind}_mode" configuration: got ${JSON.stringify(mode)}, which is not allowed on this host`,
      );
  }
}
