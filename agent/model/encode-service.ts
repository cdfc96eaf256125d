import { encodeJson } from "./json.js";
import type { ServiceRegistration } from "./service-registration.js";

/** One instance of a service. Source: reference behaviour §10 and its sample. */
export const encodeService = (service: ServiceRegistration): string =>
  encodeJson({
    Address: service.Address,
    AllocID: service.AllocID,
    CreateIndex: service.CreateIndex,
    Datacenter: service.Datacenter,
    ID: service.ID,
    JobID: service.JobID,
    ModifyIndex: service.ModifyIndex,
    Namespace: service.Namespace,
    NodeID: service.NodeID,
    Port: service.Port,
    ServiceName: service.ServiceName,
    Tags: service.Tags,
  });

/** What is told of a service in the list of all. */
export interface ServiceStub {
  readonly Namespace: string;
  readonly ServiceName: string;
  /** Of all its instances, each once. */
  readonly Tags: readonly string[];
}

/** The services by namespace and name. */
export function serviceStubs(services: readonly ServiceRegistration[]): readonly ServiceStub[] {
  const tags = new Map<string, { readonly Namespace: string; readonly ServiceName: string; readonly tags: Set<string> }>();
  for (const { Namespace, ServiceName, Tags } of services) {
    const key = `${Namespace} ${ServiceName}`;
    const stub = tags.get(key) ?? { Namespace, ServiceName, tags: new Set<string>() };
    for (const tag of Tags) stub.tags.add(tag);
    tags.set(key, stub);
  }
  return [...tags.values()]
    .map((stub) => ({ Namespace: stub.Namespace, ServiceName: stub.ServiceName, Tags: [...stub.tags].sort() }))
    .sort((a, b) => order(a.Namespace, b.Namespace) || order(a.ServiceName, b.ServiceName));
}

/** Source: the reference's sample of GET /v1/services. @param stubs those of one namespace are together. */
export function encodeServiceList(stubs: readonly ServiceStub[]): string {
  const byNamespace = new Map<string, object[]>();
  for (const { Namespace, ServiceName, Tags } of stubs) {
    const group = byNamespace.get(Namespace) ?? [];
    group.push({ ServiceName, Tags });
    byNamespace.set(Namespace, group);
  }
  return encodeJson([...byNamespace].map(([Namespace, Services]) => ({ Namespace, Services })));
}

const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
