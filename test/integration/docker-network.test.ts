import { connect } from "node:net";
import { container, dockerScenario, logOf } from "../support/engine.js";
import { job } from "../support/jobs.js";
import { waitFor } from "../support/wait.js";

/** What answers on a port of this host. */
const ask = (port: number): Promise<string> =>
  new Promise((done, fail) => {
    const socket = connect(port, "127.0.0.1");
    let text = "";
    socket.on("data", (bytes) => {
      text += bytes;
    });
    socket.on("end", () => done(text));
    socket.on("error", fail);
  });

const answering = (word: string, port: string): string => `while :; do echo ${word} | nc -l -p ${port}; done`;

dockerScenario("the tasks of a group in bridge mode share a network of their own, whose ports are published", async (start, engine) => {
  const agent = await start();
  const client =
    "until nc 127.0.0.1 $NOMAD_PORT_web | grep served; do sleep 0.1; done; echo $NOMAD_ALLOC_ADDR_web; echo $NOMAD_HOST_PORT_web; hostname; exec sleep 1000";
  const group = { Networks: [{ Mode: "bridge", Hostname: "shared", DynamicPorts: [{ Label: "web", To: 8080 }] }] };
  const spec = job("bridge", [container("server", answering("served", "8080")), container("client", client)], {}, group);
  const alloc = await agent.run(spec);
  const { Address } = alloc.NetworkStatus;
  const [{ Value: port }] = alloc.AllocatedResources.Shared.Ports;
  await waitFor("the client to have asked", () => logOf(agent, alloc.ID, "client").split("\n").length > 4);
  expect(logOf(agent, alloc.ID, "client")).toBe(`served\n${Address}:8080\n${port}\nshared\n`);
  expect(await waitFor("an answer", () => ask(port))).toBe("served\n");
  expect(engine.docker("ps", "--format", "{{.Names}}").split("\n")).toContain(`nomad_init_${alloc.ID}`);
  await agent.kill();
  await agent.start();
  expect((await agent.read(`/v1/allocation/${alloc.ID}`)).NetworkStatus.Address).toBe(Address);
  engine.docker("kill", `client-${alloc.ID}`);
  await agent.untilAlloc(alloc.ID, "to have failed", (a) => a.ClientStatus === "failed");
  await waitFor("the network to be removed", () => !engine.docker("ps", "-a").includes("nomad_init_"));
});

dockerScenario("ports of a group in host mode are published for the task that names them", async (start) => {
  const agent = await start();
  const group = { Networks: [{ Mode: "host", DynamicPorts: [{ Label: "web", To: 8081 }, { Label: "plain" }] }] };
  const script = `${answering("one", "8081")} & ${answering("two", "$NOMAD_PORT_plain")}`;
  const alloc = await agent.run(job("ports", [container("t", script, { ports: ["web", "plain"] })], {}, group));
  const [web, plain] = alloc.AllocatedResources.Shared.Ports;
  expect(await waitFor("an answer", () => ask(web.Value))).toBe("one\n");
  expect(await waitFor("an answer", () => ask(plain.Value))).toBe("two\n");
});

dockerScenario("a task that can not join its group's network fails the allocation", async (start) => {
  const agent = await start();
  const raw = { Name: "raw", Driver: "raw_exec", Config: { command: "/bin/true" }, Resources: { CPU: 5, MemoryMB: 10 } };
  const failed = await agent.run(job("mixed", [container("t", "true"), raw], {}, { Networks: [{ Mode: "bridge" }] }), "failed");
  expect(JSON.stringify(failed.TaskStates.t.Events)).toContain('task \\"raw\\" can not join it with driver \\"raw_exec\\"');
});
