const groups: readonly (readonly [why: string, names: readonly string[]])[] = [
  [
    "there is no Consul here",
    [
      ...["byKey", "byMeta", "caLeaf", "caRoots", "connect", "datacenters", "exportedServices", "importedServices", "key", "keyExists"],
      ...["keyOrDefault", "ls", "node", "nodes", "partitions", "peerings", "safeLs", "safeTree", "service", "services", "tree", "explode"],
    ],
  ],
  ["there is no Vault here", ["pkiCert", "secret", "secrets"]],
  ["it acts on the host outside of the task", ["plugin", "writeToFile"]],
  ["define the template and use {{ template }}", ["executeTemplate"]],
  [
    "it is not among the functions of this agent",
    [
      ...["byPort", "byTag", "call", "mergeMap", "mergeMapWithOverride", "scratch", "sockaddr", "spew_dump", "spew_printf", "spew_sdump"],
      ...["spew_sprintf", "toTOML"],
    ],
  ],
];

const reasons: ReadonlyMap<string, string> = new Map(groups.flatMap(([why, names]) => names.map((name) => [name, why] as const)));

/** Why a function of the reference can not be used; undefined for a name that it has not either. */
export const whyUnsupported = (name: string): string | undefined =>
  reasons.get(name) ?? (name.startsWith("sprig_") ? "functions of Sprig are not supported" : undefined);
