/**
 * What a namespace's rule can allow. Source: the documentation's "ACL policy specification".
 */
export const NAMESPACE_CAPABILITIES = [
  "deny",
  "list-jobs",
  "parse-job",
  "read-job",
  "submit-job",
  "dispatch-job",
  "read-logs",
  "read-fs",
  "alloc-exec",
  "alloc-node-exec",
  "alloc-lifecycle",
  "csi-register-plugin",
  "csi-write-volume",
  "csi-read-volume",
  "csi-list-volume",
  "csi-mount-volume",
  "host-volume-create",
  "host-volume-register",
  "host-volume-read",
  "host-volume-write",
  "host-volume-delete",
  "list-scaling-policies",
  "read-scaling-policy",
  "read-job-scaling",
  "scale-job",
  "register-job",
  "revert-job",
  "deregister-job",
  "purge-job",
  "evaluate-job",
  "plan-job",
  "tag-job-version",
  "stable-job",
  "fail-deployment",
  "pause-deployment",
  "promote-deployment",
  "unblock-deployment",
  "cancel-deployment",
  "set-alloc-health-deployment",
  "gc-allocation",
  "pause-allocation",
  "force-periodic-job",
  "delete-service-registration",
  "sentinel-override",
  "submit-recommendation",
] as const;

export type NamespaceCapability = (typeof NAMESPACE_CAPABILITIES)[number];

export const VARIABLE_CAPABILITIES = ["deny", "list", "read", "write", "destroy"] as const;
export type VariableCapability = (typeof VARIABLE_CAPABILITIES)[number];

export const HOST_VOLUME_CAPABILITIES = ["deny", "mount-readonly", "mount-readwrite"] as const;
export const NODE_POOL_CAPABILITIES = ["deny", "read", "write", "delete"] as const;

/** How the words of one kind of rule are to be read. */
export interface Vocabulary {
  readonly capabilities: readonly string[];
  /** What a coarse `policy` stands for. */
  readonly policies: Readonly<Record<string, readonly string[]>>;
  /** What a capability brings along. */
  readonly implied: Readonly<Record<string, readonly string[]>>;
}

const readNamespace: readonly NamespaceCapability[] = [
  "list-jobs",
  "parse-job",
  "read-job",
  "csi-list-volume",
  "csi-read-volume",
  "read-job-scaling",
  "list-scaling-policies",
  "read-scaling-policy",
  "host-volume-read",
];

/** What `submit-job` was divided into; whoever has the whole has the parts. */
const partsOfSubmit: readonly NamespaceCapability[] = [
  "register-job",
  "revert-job",
  "deregister-job",
  "purge-job",
  "evaluate-job",
  "plan-job",
  "tag-job-version",
  "stable-job",
  "fail-deployment",
  "pause-deployment",
  "promote-deployment",
  "unblock-deployment",
  "cancel-deployment",
  "set-alloc-health-deployment",
  "gc-allocation",
  "pause-allocation",
  "force-periodic-job",
  "delete-service-registration",
];

export const namespaceVocabulary: Vocabulary = {
  capabilities: NAMESPACE_CAPABILITIES,
  policies: {
    deny: ["deny"],
    read: readNamespace,
    // Not alloc-node-exec: a shell on the host itself has to be asked for by its name.
    write: [
      ...readNamespace,
      "scale-job",
      "submit-job",
      "dispatch-job",
      "read-logs",
      "read-fs",
      "alloc-exec",
      "alloc-lifecycle",
      "csi-mount-volume",
      "csi-write-volume",
      "submit-recommendation",
      "host-volume-create",
    ],
    scale: ["list-scaling-policies", "read-scaling-policy", "read-job-scaling", "scale-job", "read-job", "submit-recommendation"],
  },
  implied: {
    "submit-job": partsOfSubmit,
    "host-volume-write": ["host-volume-register", "host-volume-create", "host-volume-delete", "host-volume-read"],
    "host-volume-register": ["host-volume-create", "host-volume-read"],
    "host-volume-create": ["host-volume-read"],
  },
};

export const variableVocabulary: Vocabulary = { capabilities: VARIABLE_CAPABILITIES, policies: {}, implied: { read: ["list"] } };

export const hostVolumeVocabulary: Vocabulary = {
  capabilities: HOST_VOLUME_CAPABILITIES,
  policies: { deny: ["deny"], read: ["mount-readonly"], write: ["mount-readonly", "mount-readwrite"] },
  implied: {},
};

export const nodePoolVocabulary: Vocabulary = {
  capabilities: NODE_POOL_CAPABILITIES,
  policies: { deny: ["deny"], read: ["read"], write: ["read", "write", "delete"] },
  implied: {},
};
