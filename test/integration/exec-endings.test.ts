import { setTimeout as pause } from "node:timers/promises";
import type { TestAgent } from "../support/agent.js";
import { ExecClient, execute, idleTask, onlyLeft } from "../support/exec.js";
import { processesAbout } from "../support/host.js";
import { chance } from "../support/random.js";
import { scenario } from "../support/scenario.js";
import { waitFor } from "../support/wait.js";

const path = (id: string): string => `/v1/client/allocation/${id}`;

/** Sessions that are opened one after the other, some milliseconds apart. */
async function openAround(agent: TestAgent, id: string, commands: readonly (readonly string[])[]): Promise<readonly ExecClient[]> {
  const random = chance(7);
  const clients: ExecClient[] = [];
  for (const [i, command] of commands.entries()) {
    clients.push(new ExecClient(agent, id, command, { tty: i % 3 === 0, sink: () => {} }));
    await pause(random.number(12));
  }
  return clients;
}

const mixed = Array.from({ length: 60 }, (_, i) => [["true"], ["/bin/sleep", "1000"], ["cat"], ["yes"]][i % 4] as string[]);

/** An exit frame with a normal close, or a close frame that says why; never a connection that is just gone. */
async function expectToldWhy(clients: readonly ExecClient[]): Promise<void> {
  for (const client of clients) {
    const { code, reason } = await client.end();
    const exited = client.marks.at(-1) === "exited";
    if (code === 1000) expect([exited, typeof client.exitCode]).toEqual([true, "number"]);
    else expect([[1001, 1008, 1011].includes(code), reason]).toEqual([true, expect.stringMatching(/.../)]);
  }
}

scenario("sessions that are open or on their way while the task is restarted all end, with an exit or a reason", async (start) => {
  const agent = await start();
  const id = await idleTask(agent);
  const [clients] = await Promise.all([
    openAround(agent, id, mixed),
    (async () => {
      for (let i = 0; i < 3; i++) {
        await pause(100);
        expect((await agent.post(`${path(id)}/restart`, {})).status).toBe(200);
      }
    })(),
  ]);
  // Those that came after the last restart go on until they are told to end.
  expect((await agent.post(`${path(id)}/restart`, {})).status).toBe(200);
  await expectToldWhy(clients);
  expect((await agent.read(`/v1/allocation/${id}`)).TaskStates.t.State).toBe("running");
  expect((await execute(agent, id, "exit 5")).exitCode).toBe(5);
});

scenario("sessions that are open or on their way while the task is killed all end, with an exit or a reason", async (start) => {
  const agent = await start();
  const id = await idleTask(agent);
  const [clients] = await Promise.all([
    openAround(agent, id, mixed),
    pause(200).then(() => agent.post(`${path(id)}/signal`, { Signal: "SIGKILL" })),
  ]);
  await expectToldWhy(clients);
  expect(new Set(await Promise.all(clients.map(async ({ closed }) => (await closed).code))).has(1001)).toBe(true);
  expect(await new ExecClient(agent, id, ["true"]).end()).toMatchObject({ code: 1008 });
});

scenario("a task that ends while a client does not read ends the session too", async (start) => {
  const agent = await start();
  const id = await idleTask(agent);
  const before = processesAbout(agent.root).length;
  const client = new ExecClient(agent, id, ["/bin/sh", "-c", "trap '' HUP TERM; exec yes"], { sink: () => {} });
  await new Promise((resolve) => client.ws.once("message", resolve));
  client.ws.pause();
  await agent.post(`${path(id)}/signal`, { Signal: "SIGKILL" });
  await waitFor("the command to be gone", () => processesAbout(agent.root).length < before);
  client.ws.resume();
  expect(await client.end()).toEqual({ code: 1001, reason: "the task has ended" });
  expect(client.marks.at(-1)).toBe("exited");
});

scenario("SIGTERM of the agent closes its sessions with 1001 and a reason, ends their commands and leaves the task", async (start) => {
  const agent = await start();
  const id = await idleTask(agent);
  const before = processesAbout(agent.root);
  const clients = [false, true, false].map((tty) => new ExecClient(agent, id, ["cat"], { tty }));
  for (const client of clients) {
    await client.opened;
    await client.stdin("up\n");
    await client.said("up");
  }
  const ended = Promise.all(clients.map((client) => client.end()));
  expect(await agent.stop()).toBe(0);
  expect(await ended).toEqual(clients.map(() => ({ code: 1001, reason: "the agent is ending" })));
  await onlyLeft(agent, before);
  await agent.start();
  expect((await execute(agent, id, "echo on")).stdout.toString()).toBe("on\n");
});
