import type { AllocHook } from "./alloc-hook.js";

/** Finds the addresses of the group's services before anything starts. Source: reference behaviour §10. */
export const groupServicesHook: AllocHook = {
  name: "group_services",
  prerun({ alloc, group }) {
    for (const service of group.Services ?? []) {
      if (service.AddressMode === "alloc" && !alloc.NetworkStatus) {
        throw new Error(
          `unable to get address for service "${service.Name}": cannot use address_mode="alloc": no allocation network status reported`,
        );
      }
    }
  },
};
