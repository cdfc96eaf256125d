import { z } from "zod";
import { dockerSettings } from "./docker-schema.js";
import { absolutePath, duration, flag, group, idRanges, list, map, named, oneOf, text, whole } from "./leaf.js";

/**
 * Every setting of the agent with its default and its meaning. `config.schema.json`, `config.example.json` and
 * `docs/configuration.md` are generated from it.
 */
export const configSchema = z.strictObject(
  {
    $schema: z.string({ error: "a string" }).optional().describe("Where the JSON schema of this file is, for editors."),
    bind_addr: text(
      "127.0.0.1",
      "The address that the HTTP API listens on. Beyond loopback acl.enabled or mutual TLS (tls.http with tls.verify_https_client) is needed.",
    ),
    port: whole({ min: 0, max: 65_535 }, 4646, "The TCP port of the HTTP API. 0 takes any free one, told in the log."),
    unix_socket: group("A local socket that serves the HTTP API as well, whoever may open it.", {
      path: text("", "Where it is. Empty: there is none. A relative path starts at data_dir."),
      group: text("", "The group that may use it, by name or number. Empty: only the agent's own user, with mode 0600; else 0660."),
    }),
    data_dir: text(
      "/var/lib/allocd",
      "Where state and allocations are kept. One agent only may use it. A relative path starts at the working directory.",
    ),
    runtime_dir: text(
      "",
      "Where sockets and exit records of running tasks are kept; it should be on a tmpfs. Empty: a directory of this data_dir's own below /run/allocd for root, else <data_dir>/run.",
    ),
    datacenter: text("dc1", "The datacenter that this node says it is in."),
    node: group("How this host presents itself.", {
      name: text("", "The node's name. Empty: the host name."),
      class: text("", "The node class."),
      pool: text("default", "The node pool."),
      meta: map("Free key and value pairs, for interpolation as ${meta.key}."),
    }),
    log: group("The agent's own log: one JSON object a line, on stderr.", {
      level: oneOf(["trace", "debug", "info", "warn", "error"], "info", "The least severe messages that are written."),
    }),
    http: group("The HTTP API.", {
      host_names: list([], "Names, besides localhost, that callers may reach this agent by. Another name in a Host header is refused."),
      allowed_origins: list([], "Origins of pages in a browser that may use the API, such as https://ops.example. All others are refused."),
      max_header_bytes: whole({ min: 4096, max: 1 << 20 }, 64 << 10, "The largest request line and headers together, in bytes."),
      headers_timeout: duration({ min: "1s", max: "10m" }, "15s", "How long a caller may take to send them."),
      request_timeout: duration({ min: "1s", max: "1h" }, "2m", "How long a caller may take to send a whole request."),
      max_body_bytes: whole({ min: 1024, max: 1 << 30 }, 10 << 20, "The largest request body, in bytes."),
      max_conns_per_client: whole({ min: 0, max: 1_000_000 }, 100, "Open connections from one address. 0 is no limit."),
      max_blocking_queries: whole({ min: 1, max: 1_000_000 }, 10_000, "Queries that wait for a change at the same time."),
      max_blocking_queries_per_client: whole({ min: 0, max: 1_000_000 }, 1000, "The same from one address. 0 is no limit."),
      max_exec_sessions_per_allocation: whole({ min: 1, max: 100_000 }, 256, "Exec sessions of one allocation at the same time."),
      max_exec_sessions_per_token: whole({ min: 1, max: 100_000 }, 256, "Exec sessions of one ACL token at the same time."),
      max_exec_sessions: whole({ min: 0, max: 100_000 }, 512, "Exec sessions at the same time."),
      max_log_followers: whole({ min: 0, max: 100_000 }, 1000, "Log and file streams that follow at the same time."),
      max_event_streams: whole({ min: 0, max: 100_000 }, 100, "Event streams at the same time."),
      event_buffer_size: whole(
        { min: 1, max: 1_000_000 },
        1000,
        "Latest events that are kept for event streams that begin in the past or lag behind.",
      ),
      event_buffer_bytes: whole({ min: 1 << 16, max: 1 << 30 }, 16 << 20, "How much memory these events may take, in bytes, about."),
    }),
    client: group("How tasks run on this host.", {
      max_kill_timeout: duration({ min: "0s", max: "24h" }, "30s", "The longest kill_timeout that a task can ask for."),
      min_dynamic_port: whole({ min: 1, max: 65_535 }, 20_000, "The first port that is given out to dynamic ports."),
      max_dynamic_port: whole({ min: 1, max: 65_535 }, 32_000, "The last port that is given out to dynamic ports."),
      network_interface: text("", "The interface whose address ports are allocated on. Empty: loopback."),
      cgroup_parent: text("allocd.slice", "The cgroup that the cgroups of all tasks are made in."),
      max_parallel_checks: whole({ min: 1, max: 10_000 }, 50, "Checks of services that look at the same time; the others wait."),
      env_denylist: list(
        [
          "ALLOCD_TOKEN",
          "NOMAD_TOKEN",
          "CONSUL_TOKEN",
          "CONSUL_HTTP_TOKEN",
          "CONSUL_HTTP_TOKEN_FILE",
          "VAULT_TOKEN",
          "CONSUL_LICENSE",
          "CONSUL_LICENSE_PATH",
          "NOMAD_LICENSE",
          "NOMAD_LICENSE_PATH",
          "VAULT_LICENSE",
          "VAULT_LICENSE_PATH",
          "AWS_ACCESS_KEY_ID",
          "AWS_SECRET_ACCESS_KEY",
          "AWS_SESSION_TOKEN",
          "AWS_METADATA_URL",
          "GOOGLE_APPLICATION_CREDENTIALS",
          "GOOGLE_OAUTH_ACCESS_TOKEN",
        ],
        "Variables of the agent's own environment that tasks never get; * stands for anything.",
      ),
      disk_check_interval: duration(
        { min: "0s", max: "24h" },
        "1m",
        "How often it is measured whether allocations have outgrown their ephemeral disk, which is told and not enforced. 0s never.",
      ),
      gc_interval: duration({ min: "1s", max: "24h" }, "1m", "How often it is looked whether directories of ended allocations have to go."),
      gc_max_allocs: whole({ min: 0, max: 10_000_000 }, 50, "Ended allocations whose directories are kept; the oldest go first."),
      gc_disk_usage_threshold: whole(
        { min: 0, max: 100 },
        80,
        "Percent of the disk in use above which directories of ended allocations go.",
      ),
      gc_inode_usage_threshold: whole({ min: 0, max: 100 }, 70, "Percent of the disk's inodes in use above which they go."),
      gc_max_age: duration(
        { min: "0s", max: "87600h" },
        "0s",
        "How long after its end an allocation's directory is kept at most. 0s is no limit.",
      ),
      gc_parallel_destroys: whole({ min: 1, max: 100 }, 2, "Directories that are removed at the same time."),
      host_volume: named("Directories of this host that jobs may mount as volumes of type host, by name.", {
        path: absolutePath("The directory. It has to be there when the agent starts."),
        read_only: flag(false, "Whether it can be had for reading only."),
      }),
      artifact: group("Artifacts of tasks.", {
        timeout: duration({ min: "1s", max: "24h" }, "30m", "How long fetching one artifact may take, all tries together."),
        stall_timeout: duration({ min: "1s", max: "24h" }, "1m", "How long a download may bring nothing."),
        retries: whole({ min: 0, max: 100 }, 2, "Further tries at once when the network or the server fails."),
        max_concurrent: whole({ min: 1, max: 1000 }, 8, "Artifacts that are fetched at the same time."),
        max_bytes: whole({ min: 1, max: Number.MAX_SAFE_INTEGER }, 100 * 2 ** 30, "The largest download, in bytes."),
        max_unpacked_bytes: whole(
          { min: 1, max: Number.MAX_SAFE_INTEGER },
          100 * 2 ** 30,
          "The most that an archive unpacks to, in bytes.",
        ),
        max_files: whole({ min: 1, max: 100_000_000 }, 4096, "The most entries of an archive or repository."),
        max_ratio: whole({ min: 1, max: 1_000_000 }, 500, "How many times its size an archive may unpack to, beyond 64 MiB."),
      }),
      template: group("Templates of tasks.", {
        disable_file_sandbox: flag(false, "Whether templates may read files outside of their allocation, as the agent's user."),
        function_denylist: list([], "Functions that templates may not call; * stands for anything."),
        max_bytes: whole({ min: 1024, max: 1 << 30 }, 10 << 20, "The most that a template makes, in bytes."),
        max_steps: whole(
          { min: 1000, max: 1_000_000_000 },
          1_000_000,
          "The most evaluations, calls and rounds of loops that rendering a template takes.",
        ),
        wait_min: duration({ min: "0s", max: "24h" }, "5s", "How long changes are collected before a template is rendered again."),
        wait_max: duration({ min: "0s", max: "24h" }, "4m", "How long further changes can put that off."),
      }),
      reserved: group("What is kept back for the host itself.", {
        cpu: whole({ min: 0, max: 1_000_000 }, 0, "MHz."),
        memory: whole({ min: 0, max: 1 << 30 }, 0, "MiB."),
        disk: whole({ min: 0, max: 1 << 30 }, 0, "MiB."),
      }),
    }),
    drivers: group("The ways of running a task.", {
      raw_exec: group("Plain processes of the host.", {
        enabled: flag(true, "Whether tasks may use this driver."),
        denied_envvars: list([], "Patterns, with *, of variables that no raw_exec task gets."),
        denied_host_uids: idRanges("Users that no task may run as: ids and ranges, such as 0,1000-1999."),
        denied_host_gids: idRanges("Groups that no task may run as: ids and ranges, such as 0,1000-1999."),
      }),
      docker: dockerSettings(),
    }),
    variables: group("Variables, which templates read.", {
      max_count: whole({ min: 0, max: 1_000_000 }, 10_000, "Variables of the whole host; each holds at most 64 KiB."),
    }),
    state: group("How the state is kept.", {
      backup_interval: duration({ min: "0s", max: "720h" }, "1h", "How often the state is backed up while it changes; 0s for never."),
      backups: whole({ min: 1, max: 1000 }, 3, "Backups that are kept."),
      max_waiting_changes: whole(
        { min: 100, max: 10_000_000 },
        10_000,
        "Changes that wait in memory while the disk takes none. Beyond it the latest state of each allocation is kept, with its latest events.",
      ),
    }),
    retention: group("How much of the past is kept.", {
      terminal_allocations: whole({ min: 0, max: 10_000_000 }, 2000, "Ended allocations; the oldest are removed with their directories."),
      dead_jobs: whole({ min: 0, max: 1_000_000 }, 2000, "Jobs that are over and of which no allocation is left."),
      terminal_evaluations: whole({ min: 0, max: 10_000_000 }, 5000, "Ended evaluations."),
      deployments: whole({ min: 1, max: 1000 }, 10, "Ended deployments of each job."),
      job_versions: whole({ min: 1, max: 1000 }, 6, "Versions of each job, the current one included."),
      history_rows: whole({ min: 1000, max: 1_000_000_000 }, 1_000_000, "Task events in the complete history."),
      history_rows_per_allocation: whole({ min: 10, max: 1_000_000_000 }, 10_000, "Task events of one allocation in it."),
    }),
    acl: group("Access control.", {
      enabled: flag(false, "Whether callers need a token. Without, only root and the agent's own user get in over loopback."),
      token_ttl: duration({ min: "0s", max: "24h" }, "30s", "How long what a token may do is kept ready. Changes count at once anyway."),
      policy_ttl: duration(
        { min: "0s", max: "24h" },
        "30s",
        "How long the rules of policies are kept ready. Changes count at once anyway.",
      ),
      token_min_expiration_ttl: duration({ min: "0s", max: "8760h" }, "1m", "The least that a token lasts which expires."),
      token_max_expiration_ttl: duration({ min: "1s", max: "87600h" }, "24h", "The most that a token lasts which expires."),
      bootstrap_token_file: text(
        "",
        "Where the agent writes the first management token, with mode 0600, when it starts without one. Empty: nowhere, and /v1/acl/bootstrap makes it. A relative path starts at data_dir.",
      ),
      max_failed_attempts: whole(
        { min: 0, max: 1_000_000 },
        30,
        "Requests a minute from one address with a token that does not exist. 0 is no limit.",
      ),
    }),
    tls: group("TLS of the HTTP API. SIGHUP reads the files again.", {
      http: flag(false, "Whether the API speaks TLS."),
      ca_file: text("", "Certificates, in PEM, of the authorities that sign clients' certificates."),
      cert_file: text("", "The agent's own certificate, in PEM."),
      key_file: text("", "Its key, in PEM."),
      verify_https_client: flag(false, "Whether clients need a certificate."),
      tls_min_version: oneOf(["tls12", "tls13"], "tls12", "The oldest version that is spoken."),
      client_roles: map(
        "ACL roles of callers without a token, by the common name of their certificate; management stands for everything. Only with acl.enabled.",
      ),
    }),
    audit: group("A log of every change and every exec.", {
      enabled: flag(false, "Whether it is kept."),
      path: text("audit/audit.log", "Where it is. A relative path starts at data_dir."),
      delivery_guarantee: oneOf(["best-effort", "enforced"], "best-effort", "With enforced what can not be recorded is refused."),
      rotate_bytes: whole({ min: 4096, max: 1_000_000_000_000 }, 100 << 20, "A larger file is put aside."),
      rotate_max_files: whole({ min: 0, max: 100_000 }, 10, "Files put aside that are kept; the oldest are removed."),
    }),
  },
  { error: (issue) => (issue.code === "invalid_type" ? "an object" : undefined) },
);

/** A loaded configuration: all settings are there, durations are milliseconds, directories are absolute. */
export type Config = Omit<z.output<typeof configSchema>, "$schema">;
