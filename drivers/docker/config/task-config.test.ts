import fc from "fast-check";
import { TaskConfigError } from "../../driver.js";
import { parseTaskConfig } from "./task-config.js";

const parse = (config: Readonly<Record<string, unknown>>) => parseTaskConfig({ image: "i", ...config });

test("the config of the documentation's job", () => {
  const { image, portMap } = parseTaskConfig({ port_map: [{ db: 6379 }], image: "redis:3.2" });
  expect({ image, portMap }).toEqual({ image: "redis:3.2", portMap: new Map([["db", 6379]]) });
});

test("blocks are objects or lists of them, maps may come in pieces, values as text", () => {
  const config = parse({
    image: "https://registry/i:1",
    labels: [{ a: "1" }, { b: 2 }],
    auth: [{ username: "u", password: "p" }],
    mount: { type: "tmpfs", target: "/t", tmpfs_options: { size: "1000" } },
    mounts: [{ target: "/v", source: "v", readonly: "true" }],
    devices: [{ host_path: "/dev/null" }],
    ulimit: { nofile: "1:2", nproc: 5 },
    logging: { driver: "local", config: [{ "max-size": "1m" }] },
    healthchecks: { disable: true },
    image_pull_timeout: "90s",
    entrypoint: "/one",
    shm_size: "64",
    cap_add: ["net_raw", "CAP_SYS_ADMIN"],
  });
  expect(config).toMatchObject({
    image: "registry/i:1",
    labels: new Map([
      ["a", "1"],
      ["b", "2"],
    ]),
    auth: { username: "u", password: "p", email: "", serverAddress: "" },
    mounts: [
      { type: "tmpfs", target: "/t", source: "", tmpfs: { size: 1000, mode: 0 } },
      { type: "volume", target: "/v", source: "v", readonly: true },
    ],
    devices: [{ hostPath: "/dev/null", containerPath: "/dev/null", permissions: "rwm" }],
    ulimits: [
      { name: "nofile", soft: 1, hard: 2 },
      { name: "nproc", soft: 5, hard: 5 },
    ],
    logging: { type: "local", config: new Map([["max-size", "1m"]]) },
    healthchecksDisabled: true,
    imagePullTimeoutMs: 90_000,
    entrypoint: ["/one"],
    shmSize: 64,
    capAdd: ["CAP_NET_RAW", "CAP_SYS_ADMIN"],
  });
});

test.each([
  [{ image: "" }, "image name required for docker driver"],
  [{ workdir: "/" }, 'No argument or block type is named "workdir". Did you mean "work_dir"?'],
  [{ something_else: 1 }, 'named "something_else". Known are: image,'],
  [{ auth: { usernam: "u" } }, 'named "usernam" in auth. Did you mean "username"?'],
  [{ mounts: [{ target: "/a" }, { target: "/b", tpye: "bind" }] }, 'named "tpye" in mounts[1]. Did you mean "type"?'],
  [{ command: " " }, 'command empty: " "'],
  [{ command: "a " }, 'command contains extra white space: "a "'],
  [{ args: "a" }, 'args: got "a", want a list of strings'],
  [{ args: [["a"]] }, 'args[0]: got ["a"], want a string'],
  [{ args: ["a\0b"] }, "args[0]"],
  [{ tty: "yes" }, 'tty: got "yes", want true or false'],
  [{ port_map: { db: "many" } }, 'port_map["db"]: got "many", want a port from 1 to 65535'],
  [{ port_map: ["db"] }, "port_map: got"],
  [{ cpu_cfs_period: 5 }, "invalid value for cpu_cfs_period"],
  [{ mounts: { type: "odd", target: "/x" } }, 'invalid mount type, must be "bind", "volume", "tmpfs": "odd"'],
  [{ mounts: { type: "tmpfs", source: "x", target: "/x" } }, 'invalid source, must be "" for tmpfs'],
  [{ mounts: { type: "bind", source: "/x", target: "x" } }, 'mounts.target: got "x", want an absolute path'],
  [{ devices: { host_path: "/dev/x", cgroup_permissions: "rx" } }, 'invalid cgroup permission string: "rx"'],
  [{ devices: { host_path: "/dev/x", cgroup_permissions: "rr" } }, 'invalid cgroup permission string: "rr"'],
  [{ devices: {} }, "devices.host_path: got nothing"],
  [{ ulimit: { nofile: "many" } }, 'Malformed ulimit specification nofile: "many"'],
  [{ ulimit: { nofile: "5:4" } }, "Malformed ulimit specification"],
  [{ isolation: "hyperv" }, "isolation"],
  [{ advertise_ipv6_address: true }, "advertise_ipv6_address is not supported"],
  [{ image_pull_timeout: "soon" }, 'image_pull_timeout: got "soon", want a duration'],
  [{ memory_hard_limit: 1.5 }, "memory_hard_limit: got 1.5, want a whole number"],
  [{ oom_score_adj: -5 }, "oom_score_adj: got -5, want a whole number from 0 to 1000"],
  [{ logging: [{}, {}] }, "logging: got [{},{}], want one block"],
])("%j is refused", (config, text) => {
  expect(() => parse(config)).toThrow(TaskConfigError);
  expect(() => parse(config)).toThrow(text);
});

test("whatever is given, the answer is a config or a TaskConfigError", () => {
  const keys = fc.constantFrom(
    "image",
    "args",
    "mounts",
    "devices",
    "auth",
    "port_map",
    "ulimit",
    "logging",
    "tty",
    "shm_size",
    "entrypoint",
    "odd",
  );
  fc.assert(
    fc.property(fc.dictionary(keys, fc.jsonValue()), (config) => {
      try {
        parse(config);
      } catch (error) {
        expect(error).toBeInstanceOf(TaskConfigError);
      }
    }),
  );
});
