/*
 * How the words of a job specification are called in the API. Source: Nomad's documentation of the job specification and of
 * the JSON of jobs.
 */

export type Kind = "text" | "number" | "flag" | "duration" | "texts" | "map" | "any";
/** The API's name and what is accepted. */
export type Attribute = readonly [to: string, kind: Kind];

export interface BlockRule {
  readonly to: string;
  readonly body: BodyRule;
  /** `one` is an object, `many` a list, `named` a list whose labels are names, `keyed` an object by label. */
  readonly form: "one" | "many" | "named" | "keyed";
}

export interface BodyRule {
  readonly attributes: Readonly<Record<string, Attribute>>;
  readonly blocks?: Readonly<Record<string, BlockRule>>;
  /** Words that stand for an operator, as in `distinct_hosts = true`. */
  readonly operators?: readonly string[];
}

const text = (to: string): Attribute => [to, "text"];
const number = (to: string): Attribute => [to, "number"];
const flag = (to: string): Attribute => [to, "flag"];
const duration = (to: string): Attribute => [to, "duration"];
const texts = (to: string): Attribute => [to, "texts"];
const map = (to: string): Attribute => [to, "map"];
const any = (to: string): Attribute => [to, "any"];
const block = (form: BlockRule["form"], to: string, body: BodyRule): BlockRule => ({ form, to, body });
const plain = (attributes: BodyRule["attributes"], blocks: NonNullable<BodyRule["blocks"]> = {}): BodyRule => ({ attributes, blocks });

const operators = [
  "distinct_hosts",
  "distinct_property",
  "regexp",
  "version",
  "semver",
  "set_contains",
  "set_contains_all",
  "set_contains_any",
  "is_set",
  "is_not_set",
];
const target = { attribute: text("LTarget"), value: text("RTarget"), operator: text("Operand") };
const constraint: BodyRule = { attributes: target, operators };
const affinity: BodyRule = { attributes: { ...target, weight: number("Weight") }, operators };
const placement = {
  constraint: block("many", "Constraints", constraint),
  affinity: block("many", "Affinities", affinity),
};
const spread = plain(
  { attribute: text("Attribute"), weight: number("Weight") },
  { target: block("named", "SpreadTarget", plain({ value: text("Value"), percent: number("Percent") })) },
);
const restart = plain({
  attempts: number("Attempts"),
  delay: duration("Delay"),
  interval: duration("Interval"),
  mode: text("Mode"),
  render_templates: flag("RenderTemplates"),
});
const reschedule = plain({
  attempts: number("Attempts"),
  delay: duration("Delay"),
  delay_function: text("DelayFunction"),
  interval: duration("Interval"),
  max_delay: duration("MaxDelay"),
  unlimited: flag("Unlimited"),
});
const migrate = plain({
  health_check: text("HealthCheck"),
  healthy_deadline: duration("HealthyDeadline"),
  max_parallel: number("MaxParallel"),
  min_healthy_time: duration("MinHealthyTime"),
});
const update = plain({
  ...migrate.attributes,
  auto_promote: flag("AutoPromote"),
  auto_revert: flag("AutoRevert"),
  canary: number("Canary"),
  progress_deadline: duration("ProgressDeadline"),
  stagger: duration("Stagger"),
});
const vault = plain({
  allow_token_expiration: flag("AllowTokenExpiration"),
  change_mode: text("ChangeMode"),
  change_signal: text("ChangeSignal"),
  cluster: text("Cluster"),
  disable_file: flag("DisableFile"),
  env: flag("Env"),
  namespace: text("Namespace"),
  policies: texts("Policies"),
  role: text("Role"),
});
const consul = plain({ cluster: text("Cluster"), namespace: text("Namespace"), partition: text("Partition") });
const identity = plain({
  aud: texts("Audience"),
  change_mode: text("ChangeMode"),
  change_signal: text("ChangeSignal"),
  env: flag("Env"),
  extra_claims: map("ExtraClaims"),
  file: flag("File"),
  filepath: text("Filepath"),
  name: text("Name"),
  service_name: text("ServiceName"),
  ttl: duration("TTL"),
});
const network = plain(
  { hostname: text("Hostname"), mbits: number("MBits"), mode: text("Mode") },
  {
    cni: block("one", "CNI", plain({ args: map("Args") })),
    dns: block("one", "DNS", plain({ options: texts("Options"), searches: texts("Searches"), servers: texts("Servers") })),
    port: block(
      "named",
      "Ports",
      plain({
        host_network: text("HostNetwork"),
        ignore_collision: flag("IgnoreCollision"),
        static: number("Value"),
        to: number("To"),
      }),
    ),
  },
);
const checkRestart = plain({ grace: duration("Grace"), ignore_warnings: flag("IgnoreWarnings"), limit: number("Limit") });
const check = plain(
  {
    address_mode: text("AddressMode"),
    args: texts("Args"),
    body: text("Body"),
    command: text("Command"),
    expose: flag("Expose"),
    failures_before_critical: number("FailuresBeforeCritical"),
    failures_before_warning: number("FailuresBeforeWarning"),
    grpc_service: text("GRPCService"),
    grpc_use_tls: flag("GRPCUseTLS"),
    header: any("Header"),
    initial_status: text("InitialStatus"),
    interval: duration("Interval"),
    method: text("Method"),
    name: text("Name"),
    notes: text("Notes"),
    on_update: text("OnUpdate"),
    path: text("Path"),
    port: text("PortLabel"),
    protocol: text("Protocol"),
    success_before_passing: number("SuccessBeforePassing"),
    task: text("TaskName"),
    timeout: duration("Timeout"),
    tls_server_name: text("TLSServerName"),
    tls_skip_verify: flag("TLSSkipVerify"),
    type: text("Type"),
  },
  { check_restart: block("one", "CheckRestart", checkRestart) },
);
const service = plain(
  {
    address: text("Address"),
    address_mode: text("AddressMode"),
    canary_meta: map("CanaryMeta"),
    canary_tags: texts("CanaryTags"),
    cluster: text("Cluster"),
    enable_tag_override: flag("EnableTagOverride"),
    kind: text("Kind"),
    meta: map("Meta"),
    name: text("Name"),
    on_update: text("OnUpdate"),
    port: text("PortLabel"),
    provider: text("Provider"),
    tagged_addresses: map("TaggedAddresses"),
    tags: texts("Tags"),
    task: text("TaskName"),
  },
  {
    check: block("many", "Checks", check),
    check_restart: block("one", "CheckRestart", checkRestart),
    identity: block("one", "Identity", identity),
    weights: block("one", "Weights", plain({ passing: number("Passing"), warning: number("Warning") })),
  },
);
const scaling = plain({ enabled: flag("Enabled"), max: number("Max"), min: number("Min"), policy: any("Policy"), type: text("Type") });
const template = plain(
  {
    change_mode: text("ChangeMode"),
    change_signal: text("ChangeSignal"),
    data: text("EmbeddedTmpl"),
    destination: text("DestPath"),
    env: flag("Envvars"),
    error_on_missing_key: flag("ErrMissingKey"),
    gid: number("Gid"),
    left_delimiter: text("LeftDelim"),
    once: flag("Once"),
    perms: text("Perms"),
    right_delimiter: text("RightDelim"),
    source: text("SourcePath"),
    splay: duration("Splay"),
    uid: number("Uid"),
    vault_grace: duration("VaultGrace"),
  },
  {
    change_script: block(
      "one",
      "ChangeScript",
      plain({ args: texts("Args"), command: text("Command"), fail_on_error: flag("FailOnError"), timeout: duration("Timeout") }),
    ),
    wait: block("one", "Wait", plain({ max: duration("Max"), min: duration("Min") })),
  },
);
const artifact = plain({
  chown: flag("Chown"),
  destination: text("RelativeDest"),
  headers: map("GetterHeaders"),
  insecure: flag("GetterInsecure"),
  mode: text("GetterMode"),
  options: map("GetterOptions"),
  source: text("GetterSource"),
});
const resources = plain(
  {
    cores: number("Cores"),
    cpu: number("CPU"),
    disk: number("DiskMB"),
    iops: number("IOPS"),
    memory: number("MemoryMB"),
    memory_max: number("MemoryMaxMB"),
    secrets: number("SecretsMB"),
  },
  {
    device: block("named", "Devices", plain({ count: number("Count") }, placement)),
    network: block("many", "Networks", network),
    numa: block("one", "NUMA", plain({ affinity: text("Affinity"), devices: texts("Devices") })),
  },
);
const volume = plain(
  {
    access_mode: text("AccessMode"),
    attachment_mode: text("AttachmentMode"),
    per_alloc: flag("PerAlloc"),
    read_only: flag("ReadOnly"),
    source: text("Source"),
    sticky: flag("Sticky"),
    type: text("Type"),
  },
  { mount_options: block("one", "MountOptions", plain({ fs_type: text("FSType"), mount_flags: texts("MountFlags") })) },
);
const task = plain(
  {
    config: any("Config"),
    driver: text("Driver"),
    env: map("Env"),
    kill_signal: text("KillSignal"),
    kill_timeout: duration("KillTimeout"),
    kind: text("Kind"),
    leader: flag("Leader"),
    meta: map("Meta"),
    shutdown_delay: duration("ShutdownDelay"),
    user: text("User"),
  },
  {
    ...placement,
    action: block("named", "Actions", plain({ args: texts("Args"), command: text("Command") })),
    artifact: block("many", "Artifacts", artifact),
    consul: block("one", "Consul", consul),
    dispatch_payload: block("one", "DispatchPayload", plain({ file: text("File") })),
    identity: block("many", "Identities", identity),
    lifecycle: block("one", "Lifecycle", plain({ hook: text("Hook"), sidecar: flag("Sidecar") })),
    logs: block(
      "one",
      "LogConfig",
      plain({ disabled: flag("Disabled"), max_file_size: number("MaxFileSizeMB"), max_files: number("MaxFiles") }),
    ),
    resources: block("one", "Resources", resources),
    restart: block("one", "RestartPolicy", restart),
    scaling: block("named", "ScalingPolicies", scaling),
    service: block("many", "Services", service),
    template: block("many", "Templates", template),
    vault: block("one", "Vault", vault),
    volume_mount: block(
      "many",
      "VolumeMounts",
      plain({
        destination: text("Destination"),
        propagation_mode: text("PropagationMode"),
        read_only: flag("ReadOnly"),
        selinux_label: text("SELinuxLabel"),
        volume: text("Volume"),
      }),
    ),
  },
);
const group = plain(
  {
    count: number("Count"),
    max_client_disconnect: duration("MaxClientDisconnect"),
    max_run_duration: duration("MaxRunDuration"),
    meta: map("Meta"),
    prevent_reschedule_on_lost: flag("PreventRescheduleOnLost"),
    shutdown_delay: duration("ShutdownDelay"),
    stop_after_client_disconnect: duration("StopAfterClientDisconnect"),
  },
  {
    ...placement,
    consul: block("one", "Consul", consul),
    disconnect: block(
      "one",
      "Disconnect",
      plain({
        lost_after: duration("LostAfter"),
        reconcile: text("Reconcile"),
        replace: flag("Replace"),
        stop_on_client_after: duration("StopOnClientAfter"),
      }),
    ),
    ephemeral_disk: block("one", "EphemeralDisk", plain({ migrate: flag("Migrate"), size: number("SizeMB"), sticky: flag("Sticky") })),
    migrate: block("one", "Migrate", migrate),
    network: block("many", "Networks", network),
    reschedule: block("one", "ReschedulePolicy", reschedule),
    restart: block("one", "RestartPolicy", restart),
    scaling: block("one", "Scaling", scaling),
    service: block("many", "Services", service),
    spread: block("many", "Spreads", spread),
    task: block("named", "Tasks", task),
    update: block("one", "Update", update),
    volume: block("keyed", "Volumes", volume),
  },
);

export const jobRule: BodyRule = plain(
  {
    all_at_once: flag("AllAtOnce"),
    datacenters: texts("Datacenters"),
    id: text("ID"),
    meta: map("Meta"),
    name: text("Name"),
    namespace: text("Namespace"),
    node_pool: text("NodePool"),
    priority: number("Priority"),
    region: text("Region"),
    type: text("Type"),
  },
  {
    ...placement,
    group: block("named", "TaskGroups", group),
    migrate: block("one", "Migrate", migrate),
    parameterized: block(
      "one",
      "ParameterizedJob",
      plain({ meta_optional: texts("MetaOptional"), meta_required: texts("MetaRequired"), payload: text("Payload") }),
    ),
    periodic: block(
      "one",
      "Periodic",
      plain({
        cron: text("Spec"),
        crons: texts("Specs"),
        enabled: flag("Enabled"),
        prohibit_overlap: flag("ProhibitOverlap"),
        time_zone: text("TimeZone"),
      }),
    ),
    reschedule: block("one", "Reschedule", reschedule),
    spread: block("many", "Spreads", spread),
    ui: block(
      "one",
      "UI",
      plain({ description: text("Description") }, { link: block("many", "Links", plain({ label: text("Label"), url: text("Url") })) }),
    ),
    update: block("one", "Update", update),
  },
);
