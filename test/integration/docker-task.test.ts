import { container, dockerScenario, logOf } from "../support/engine.js";
import { job, SECOND } from "../support/jobs.js";
import { waitFor } from "../support/wait.js";

dockerScenario("a container is what its config says", async (start, engine) => {
  const agent = await start();
  const config = {
    entrypoint: ["/bin/sh"],
    command: "-c",
    args: [
      "id -u; pwd; hostname; echo $NOMAD_TASK_DIR $HOME_OF_TEST; touch /local/mine && echo writable; cat /extra/file; ulimit -n; echo ${NOMAD_META_word}; exec sleep 1000",
    ],
    work_dir: "/tmp",
    hostname: "inside",
    labels: [{ color: "red" }],
    cap_add: ["NET_BIND_SERVICE"],
    cap_drop: ["MKNOD"],
    ulimit: { nofile: "100:200" },
    sysctl: { "net.core.somaxconn": "300" },
    volumes: ["local/extra:/extra:ro"],
    mounts: [{ type: "tmpfs", target: "/scratch", tmpfs_options: { size: 1_000_000 } }],
    shm_size: 1_000_000,
    pids_limit: 50,
    init: true,
    extra_hosts: ["elsewhere:10.1.2.3"],
    dns_servers: ["10.9.9.9"],
    storage_opt: {},
    readonly_rootfs: true,
    port_map: [{ web: 8080 }],
  };
  const resources = { CPU: 50, MemoryMB: 32, MemoryMaxMB: 64, Networks: [{ DynamicPorts: [{ Label: "web" }] }] };
  const more = { User: "nobody", Env: { HOME_OF_TEST: "here" }, Meta: { word: "meta" }, Resources: resources };
  const spec = container("t", "", config, more);
  const { ID } = await agent.run(
    job("config", [spec], {}, { RestartPolicy: { Attempts: 0, Interval: 600 * SECOND, Delay: SECOND, Mode: "fail" } }),
  );
  const inspected = engine.inspect(`t-${ID}`);
  await waitFor("its output", () => logOf(agent, ID).includes("meta"));
  expect(logOf(agent, ID).split("\n").slice(0, 5)).toEqual(["65534", "/tmp", "inside", "/local here", "writable"]);
  expect(logOf(agent, ID)).toMatch(/\n100\nmeta\n$/);
  const { Config, HostConfig } = inspected;
  expect(Config.Labels).toMatchObject({
    color: "red",
    "com.hashicorp.nomad.alloc_id": ID,
    "com.hashicorp.nomad.task_name": "t",
    "allocd.run": `${ID}.t.1`,
  });
  expect(HostConfig).toMatchObject({
    Memory: 64 << 20,
    MemoryReservation: 32 << 20,
    CpuShares: 50,
    PidsLimit: 50,
    CapAdd: null,
    CapDrop: ["CAP_MKNOD", "CAP_NET_RAW"],
    Dns: ["10.9.9.9"],
    ExtraHosts: ["elsewhere:10.1.2.3"],
    ReadonlyRootfs: true,
    Init: true,
    ShmSize: 1_000_000,
    LogConfig: { Type: "json-file", Config: { "max-file": "2", "max-size": "10m" } },
  });
  const { TaskResources } = await agent.read(`/v1/allocation/${ID}`);
  const port = TaskResources.t.Networks[0].DynamicPorts[0].Value;
  const binding = [{ HostIp: "127.0.0.1", HostPort: String(port) }];
  expect(HostConfig.PortBindings).toEqual({ "8080/tcp": binding, "8080/udp": binding });
  expect(Config.Env).toContain("NOMAD_PORT_web=8080");
  expect(Config.Env.filter((entry: string) => entry.startsWith("PATH="))).toEqual([]);
});

dockerScenario("signals, stops and ends are told as they were", async (start) => {
  const agent = await start();
  const script = 'trap "echo hup" HUP; trap "exit 7" TERM; echo up; while :; do sleep 0.05; done';
  const group = { RestartPolicy: { Attempts: 0, Interval: 600 * SECOND, Delay: SECOND, Mode: "fail" } };
  const { ID } = await agent.run(job("ends", [container("t", script)], {}, group));
  await waitFor("it to be up", () => logOf(agent, ID) === "up\n");
  expect((await agent.post(`/v1/client/allocation/${ID}/signal`, { Signal: "SIGHUP", Task: "t" })).status).toBe(200);
  await waitFor("the signal", () => logOf(agent, ID) === "up\nhup\n");
  const usage = await agent.read(`/v1/client/allocation/${ID}/stats`);
  expect(usage.ResourceUsage.MemoryStats.Measured).toEqual(["RSS", "Cache", "Swap", "Usage", "Max Usage"]);
  expect(usage.ResourceUsage.MemoryStats.Usage).toBeGreaterThan(0);
  await agent.delete("/v1/job/ends");
  const stopped = await agent.untilAlloc(ID, "to end", (a) => a.ClientStatus === "complete");
  const end = stopped.TaskStates.t.Events.find((event: { Type: string }) => event.Type === "Terminated");
  expect(end.DisplayMessage).toBe('Exit Code: 7, Exit Message: "Docker container exited with non-zero exit code: 7"');
});

dockerScenario("a container that ignores its stop is killed when its time is over", async (start) => {
  const agent = await start();
  const { ID } = await agent.run(
    job("deaf", [container("t", 'trap "" TERM; echo up; while :; do sleep 1; done', {}, { KillTimeout: SECOND / 2 })]),
  );
  await waitFor("it to be up", () => logOf(agent, ID) === "up\n");
  const asked = performance.now();
  await agent.delete("/v1/job/deaf");
  const stopped = await agent.untilAlloc(ID, "to end", (a) => a.ClientStatus === "complete");
  expect(performance.now() - asked).toBeGreaterThan(400);
  const end = stopped.TaskStates.t.Events.find((event: { Type: string }) => event.Type === "Terminated");
  expect(end).toMatchObject({ ExitCode: 137, Signal: 9 });
});

dockerScenario("what the operator does not allow is refused, with the key and why", async (start) => {
  const agent = await start();
  const refused: readonly (readonly [Readonly<Record<string, unknown>>, string])[] = [
    [{ privileged: true }, "privileged mode is disabled"],
    [{ volumes: ["/etc:/host"] }, 'volumes are not enabled; cannot mount host path: "/etc"'],
    [{ volumes: ["../../../..:/host"] }, "volumes are not enabled"],
    [{ mounts: [{ type: "volume", source: "v", target: "/v" }] }, "volumes are not enabled"],
    [{ cap_add: ["SYS_ADMIN"] }, "sys_admin"],
    [{ pid_mode: "host" }, "pid_mode"],
    [{ runtime: "odd" }, 'requested runtime "odd" is not allowed'],
    [{ ports: ["web"] }, 'Port "web" not found'],
    [{ work_dirr: "/" }, 'Did you mean \\"work_dir\\"'],
    [{ advertise_ipv6_address: true }, "advertise_ipv6_address"],
  ];
  const tasks = refused.map(([config], i) => job(`refused-${i}`, [container("t", "true", config)], { Type: "batch" }));
  await Promise.all(tasks.map((each) => agent.register(each)));
  for (const [i, [, reason]] of refused.entries()) {
    const [stub] = await agent.untilAllocs(`refused-${i}`, "to fail", (all) => all[0]?.ClientStatus === "failed");
    expect(JSON.stringify(stub.TaskStates.t.Events)).toContain(reason.startsWith("Did") ? reason : JSON.stringify(reason).slice(1, -1));
  }
});
