import type { AllocHook } from "./alloc-hook.js";

/** Finds the addresses of the group's services before anything starts. Source: reference behaviour §10. */
export const groupServicesHook: AllocHook = {
  name: "group_services",
  prerun({ services }) {
    services.requireAddresses();
  },
};
