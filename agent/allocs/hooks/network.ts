import type { AllocHook } from "./alloc-hook.js";

/** Tasks share the host's network; a job that counts on one of its own must not find itself in the host's. */
export const networkHook: AllocHook = {
  name: "network",
  prerun({ group }) {
    const other = group.Networks?.find(({ Mode }) => Mode !== "" && Mode !== "host");
    if (other) throw new Error(`network mode "${other.Mode}" is not supported on this host, want "host"`);
  },
};
