/** Settings of the driver, by what they mean; their names in the configuration are Nomad's. Source: reference behaviour §6.1. */
export interface DockerOptions {
  readonly enabled: boolean;
  /** Where the engine listens, as DOCKER_HOST says it; "": DOCKER_HOST, else its usual socket. */
  readonly endpoint: string;
  /** Paths of PEM files; "" is none. */
  readonly tls: { readonly cert: string; readonly key: string; readonly ca: string };
  readonly auth: { readonly config: string; readonly helper: string };
  readonly gc: {
    readonly image: boolean;
    readonly imageDelayMs: number;
    readonly container: boolean;
    readonly dangling: { readonly enabled: boolean; readonly dryRun: boolean; readonly periodMs: number; readonly graceMs: number };
  };
  readonly volumes: { readonly enabled: boolean; readonly selinuxLabel: string };
  readonly allowPrivileged: boolean;
  /** Names with or without CAP_; "all" is any. */
  readonly allowCaps: readonly string[];
  readonly allowRuntimes: readonly string[];
  readonly allowedModes: Readonly<Record<"pid" | "ipc" | "userns" | "uts", readonly string[]>>;
  /** What holds a group's network; "" is an image that the driver makes itself. */
  readonly infraImage: string;
  readonly imagePullTimeoutMs: number;
  readonly infraImagePullTimeoutMs: number;
  readonly pullActivityTimeoutMs: number;
  readonly containerExistsAttempts: number;
  /** 0 is no limit. */
  readonly pidsLimit: number;
  readonly oomScoreAdj: number;
  readonly disableLogCollection: boolean;
  /** Globs of labels of a job that containers get too. */
  readonly extraLabels: readonly string[];
  readonly logging: { readonly type: string; readonly config: Readonly<Record<string, string>> };
  /** How long the engine may take for one call. */
  readonly callTimeoutMs: number;
}

/** What containers are told of this host. */
export interface DockerHost {
  readonly nodeId: string;
  readonly nodeName: string;
  /** MHz over all cores that tasks may use. */
  readonly usableMhz: number;
  readonly cores: number;
}
