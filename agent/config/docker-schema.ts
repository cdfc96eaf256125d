import { duration, flag, group, list, map, oneOf, text, whole } from "./leaf.js";

const longest = "24h";

/** The settings of the Docker driver, by Nomad's names. Source: reference behaviour §6.1. */
export const dockerSettings = () =>
  group("Containers of a Docker engine.", {
    enabled: flag(true, "Whether tasks may use this driver. A host without an engine needs no false here: it is not detected then."),
    endpoint: text("", "Where the engine listens: unix:///path or tcp://host:port. Empty: DOCKER_HOST, else unix:///var/run/docker.sock."),
    call_timeout: duration({ min: "1s", max: longest }, "5m", "How long the engine may take for one call, but those that wait or pull."),
    tls: group("How to speak to an engine over TLS.", {
      cert: text("", "Path of the client's certificate."),
      key: text("", "Path of its key."),
      ca: text("", "Path of the certificate that the engine's is signed with."),
    }),
    auth: group("Where credentials for registries come from, after those of the task itself.", {
      config: text("", "Path of a Docker client's config file, such as /root/.docker/config.json."),
      helper: text("", "Name of a credential helper: docker-credential-<name> is run."),
    }),
    gc: group("What is removed from the engine.", {
      image: flag(true, "Whether images that came here for a task are removed after its end."),
      image_delay: duration({ min: "0s", max: longest }, "3m", "How long after the end of the last task."),
      container: flag(true, "Whether containers are removed after their end. False leaves the last of each task to be looked at."),
      dangling_containers: group("Containers of this node that belong to no allocation.", {
        enabled: flag(true, "Whether they are removed."),
        dry_run: flag(false, "Whether they are only told of in the log."),
        period: duration({ min: "1s", max: longest }, "5m", "How often they are looked for."),
        creation_grace: duration({ min: "1m", max: longest }, "5m", "How old a container must be to be taken for one."),
      }),
    }),
    volumes: group("Files of the host in containers.", {
      enabled: flag(false, "Whether tasks may mount paths outside of their allocation, volumes, and use volume drivers."),
      selinuxlabel: oneOf(["", "z", "Z"], "", "The SELinux label of everything that is mounted."),
    }),
    allow_privileged: flag(false, "Whether tasks may run privileged, and join the host's namespaces."),
    allow_caps: list(
      [
        "chown",
        "dac_override",
        "fsetid",
        "fowner",
        "mknod",
        "setgid",
        "setuid",
        "setfcap",
        "setpcap",
        "net_bind_service",
        "sys_chroot",
        "kill",
        "audit_write",
      ],
      "Capabilities that tasks may have; of those that the engine gives by itself the others are dropped. all is any.",
    ),
    allow_runtimes: list(["runc", "nvidia"], "Runtimes that tasks may ask for."),
    allowed_modes: group("Namespaces besides their own that tasks may ask for although allow_privileged is false.", {
      pid: list([], "Values of pid_mode."),
      ipc: list([], "Values of ipc_mode."),
      userns: list([], "Values of userns_mode."),
      uts: list([], "Values of uts_mode."),
    }),
    infra_image: text(
      "",
      "The image that holds the network of a group in bridge mode. Empty: one that the agent makes, which needs no registry.",
    ),
    infra_image_pull_timeout: duration({ min: "1s", max: longest }, "5m", "How long its pull may take."),
    image_pull_timeout: duration({ min: "1s", max: longest }, "5m", "How long a pull may take for a task that does not say."),
    pull_activity_timeout: duration({ min: "1m", max: longest }, "2m", "How long a pull may stand still."),
    container_exists_attempts: whole({ min: 1, max: 100 }, 5, "How often a container's name that is taken is made free."),
    pids_limit: whole(
      { min: 0, max: 1 << 30 },
      0,
      "The most processes that a task may ask for, and the limit of those that do not. 0 is none.",
    ),
    oom_score_adj: whole({ min: 0, max: 1000 }, 0, "How early the kernel ends containers when memory is short, for tasks that do not say."),
    disable_log_collection: flag(false, "Whether the output of containers is left to the engine."),
    extra_labels: list(
      [],
      "Labels that containers get, with *: job_name, job_id, parent_job_id, task_group_name, namespace, node_name. alloc_id, node_id and task_name are always there.",
    ),
    logging: group("How the engine keeps the output of tasks that do not say.", {
      type: text("json-file", "A logging driver. One that can not be read loses output while the agent is away."),
      config: map("Its options. What they keep is what output an absent agent can still take over.", {
        "max-file": "2",
        "max-size": "10m",
      }),
    }),
  });
