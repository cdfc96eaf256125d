import type { ServiceRegistration } from "../model/service-registration.js";
import type { StateStore } from "../store/state-store.js";
import type { CatalogService, ServiceCatalog } from "../templates/service-catalog.js";

/** The host's own registry, as templates see it. */
export const serviceCatalog = (store: StateStore): ServiceCatalog => ({
  services(namespace) {
    const tags = new Map<string, Set<string>>();
    for (const { ServiceName, Namespace, Tags } of store.services()) {
      if (Namespace !== namespace) continue;
      const all = tags.get(ServiceName) ?? new Set();
      for (const tag of Tags) all.add(tag);
      tags.set(ServiceName, all);
    }
    return [...tags].map(([Name, Tags]) => ({ Name, Tags: [...Tags] })).sort((a, b) => (a.Name < b.Name ? -1 : 1));
  },
  service: (namespace, name) =>
    store
      .servicesNamed(name)
      .filter(({ Namespace }) => Namespace === namespace)
      .map(catalogService),
  subscribe: (listener) =>
    store.watch.subscribe((changes) => {
      if (changes.some(({ kind }) => kind === "service" || kind === "service-delete")) listener();
    }),
});

function catalogService(registration: ServiceRegistration): CatalogService {
  const { ID, ServiceName: Name, Address, Port, Tags, AllocID, JobID, NodeID, Datacenter, Namespace } = registration;
  return { ID, Name, Address, Port, Tags, AllocID, JobID, NodeID, Datacenter, Namespace };
}
