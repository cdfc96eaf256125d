import { execFile } from "node:child_process";

const limitMs = 1_000;

/**
 * Whether a terminal takes Control-D for the end of input.
 *
 * @param path the terminal; undefined when it can not be looked at: most are in this mode then.
 */
export function isCanonical(path: string | undefined): Promise<boolean> {
  if (path === undefined) return Promise.resolve(true);
  return new Promise((resolve) => {
    execFile("/usr/bin/stty", ["-a", "-F", path], { timeout: limitMs }, (error, modes) => {
      resolve(error !== null || /(^|\s)icanon/.test(modes));
    });
  });
}
