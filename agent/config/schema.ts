import { z } from "zod";
import { duration, flag, group, idRanges, list, map, oneOf, text, whole } from "./leaf.js";

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
    }),
    client: group("How tasks run on this host.", {
      max_kill_timeout: duration({ min: "0s", max: "24h" }, "30s", "The longest kill_timeout that a task can ask for."),
      min_dynamic_port: whole({ min: 1, max: 65_535 }, 20_000, "The first port that is given out to dynamic ports."),
      max_dynamic_port: whole({ min: 1, max: 65_535 }, 32_000, "The last port that is given out to dynamic ports."),
      network_interface: text("", "The interface whose address ports are allocated on. Empty: loopback."),
      cgroup_parent: text("allocd.slice", "The cgroup that the cgroups of all tasks are made in."),
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
