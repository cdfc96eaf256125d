import type { Config } from "../agent/config/schema.js";
import type { DockerOptions } from "../drivers/docker/options.js";

/** The driver's settings as the configuration names them. */
export const dockerOptions = (given: Config["drivers"]["docker"]): DockerOptions => ({
  enabled: given.enabled,
  endpoint: given.endpoint,
  callTimeoutMs: given.call_timeout,
  tls: { cert: given.tls.cert, key: given.tls.key, ca: given.tls.ca },
  auth: { config: given.auth.config, helper: given.auth.helper },
  gc: {
    image: given.gc.image,
    imageDelayMs: given.gc.image_delay,
    container: given.gc.container,
    dangling: {
      enabled: given.gc.dangling_containers.enabled,
      dryRun: given.gc.dangling_containers.dry_run,
      periodMs: given.gc.dangling_containers.period,
      graceMs: given.gc.dangling_containers.creation_grace,
    },
  },
  volumes: { enabled: given.volumes.enabled, selinuxLabel: given.volumes.selinuxlabel },
  allowPrivileged: given.allow_privileged,
  allowCaps: given.allow_caps,
  allowRuntimes: given.allow_runtimes,
  allowedModes: {
    pid: given.allowed_modes.pid,
    ipc: given.allowed_modes.ipc,
    userns: given.allowed_modes.userns,
    uts: given.allowed_modes.uts,
  },
  infraImage: given.infra_image,
  infraImagePullTimeoutMs: given.infra_image_pull_timeout,
  imagePullTimeoutMs: given.image_pull_timeout,
  pullActivityTimeoutMs: given.pull_activity_timeout,
  containerExistsAttempts: given.container_exists_attempts,
  pidsLimit: given.pids_limit,
  oomScoreAdj: given.oom_score_adj,
  disableLogCollection: given.disable_log_collection,
  extraLabels: given.extra_labels,
  logging: { type: given.logging.type, config: given.logging.config },
});
