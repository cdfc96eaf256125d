import { statSync } from "node:fs";
import { ConfigError } from "../config/config-error.js";
import type { Config } from "../config/schema.js";
import type { HostVolume } from "../model/node.js";

/**
 * The volumes that the operator offers.
 *
 * @throws ConfigError for one whose directory is not there: jobs would be placed that can not run.
 */
export function hostVolumes(given: Config["client"]["host_volume"]): Readonly<Record<string, HostVolume>> {
  return Object.fromEntries(
    Object.entries(given).map(([Name, { path, read_only }]) => {
      if (!statSync(path, { throwIfNoEntry: false })?.isDirectory())
        throw new ConfigError(`client.host_volume.${Name}.path: got "${path}", want a directory that is there`);
      return [Name, { Name, Path: path, ReadOnly: read_only }];
    }),
  );
}
