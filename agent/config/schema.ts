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
      "The address that the HTTP API listens on. Only a loopback address is accepted as long as callers are not authenticated.",
    ),
    port: whole({ min: 0, max: 65_535 }, 4646, "The TCP port of the HTTP API. 0 takes any free one, told in the log."),
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
      max_body_bytes: whole({ min: 1024, max: 1 << 30 }, 10 << 20, "The largest request body, in bytes."),
      max_conns_per_client: whole({ min: 0, max: 1_000_000 }, 100, "Open connections from one address. 0 is no limit."),
      max_blocking_queries: whole({ min: 1, max: 1_000_000 }, 10_000, "Queries that wait for a change at the same time."),
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
      enabled: flag(false, "Whether callers need a token. Not available yet: true is refused."),
    }),
  },
  { error: (issue) => (issue.code === "invalid_type" ? "an object" : undefined) },
);

/** A loaded configuration: all settings are there, durations are milliseconds, directories are absolute. */
export type Config = Omit<z.output<typeof configSchema>, "$schema">;
