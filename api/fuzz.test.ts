import { connect, type Socket } from "node:net";
import { SystemClock } from "../agent/clock.js";
import { AllocdError } from "../agent/errors.js";
import { FsScene } from "../test/support/fs-scene.js";
import { fuzzRequest } from "../test/support/fuzz-requests.js";
import { expectNothingHeld, type Holdings, holdings } from "../test/support/leaks.js";
import { chance } from "../test/support/random.js";
import type { ApiDeps } from "./deps.js";
import { ExecAccess } from "./exec/exec-access.js";
import { defaultExecOptions, ExecEndpoint } from "./exec/exec-endpoint.js";
import { createFsRouter, fsActions } from "./fs/router.js";
import { defaultApiOptions } from "./options.js";
import { allRoutes } from "./routes/index.js";
import { type AclFixture, startAclApi } from "./testing/acl-fixture.js";
import { aJob, anAllocation, anEvaluation, UNKNOWN_ID } from "./testing/objects.js";

/** ALLOCD_FUZZ_REQUESTS=50000 takes longer, ALLOCD_FUZZ_SEED=N another way. */
const total = Number(process.env.ALLOCD_FUZZ_REQUESTS ?? 4_000);
const seed = Number(process.env.ALLOCD_FUZZ_SEED ?? 8);
const atOnce = 8;
/** A request that is cut off gets no answer. */
const patienceMs = 250;

let before: Holdings;
let api: AclFixture;
let scene: FsScene;
let exec: ExecEndpoint;

beforeEach(async () => {
  before = holdings();
  scene = new FsScene({ heartbeatMs: 50, maxFollowers: 3 });
  api = await startAclApi({}, (store) => ({
    fs: (callerOf) => createFsRouter({ files: scene.files, store, callerOf, log: scene.log }),
    exec: { upgrade: (...args) => exec.upgrade(...args) },
    options: { maxConnectionsPerAddress: 0 },
  }));
  exec = new ExecEndpoint({
    targets: {
      execTarget: () => {
        throw new AllocdError("task-not-running", 'task "t" is not running.');
      },
    },
    access: new ExecAccess({ authority: api.authority, store: api.store, runsOnHost: () => true }),
    clock: new SystemClock(),
    log: scene.log,
    options: defaultExecOptions,
  });
});

afterEach(async () => {
  exec.close();
  await api.close();
  scene.remove();
  await expectNothingHeld(before);
});

/** @returns the statuses of all answers to one connection's bytes. */
function send(port: number, bytes: Buffer): Promise<{ readonly statuses: readonly number[]; readonly text: string }> {
  return new Promise((resolve) => {
    const parts: Buffer[] = [];
    const socket: Socket = connect(port, "127.0.0.1");
    const done = (): void => {
      socket.destroy();
      const text = Buffer.concat(parts).toString("latin1");
      resolve({ text, statuses: [...text.matchAll(/(?:^|\n)HTTP\/1\.1 (\d{3})/g)].map(([, status]) => Number(status)) });
    };
    socket.setTimeout(patienceMs, done);
    socket.on("error", () => {});
    socket.on("data", (part: Buffer) => {
      parts.push(part);
      // Enough for a status; whatever follows is the same answer.
      if (/^HTTP\/1\.1 [2-5]\d\d/.test(parts[0]?.toString("latin1") ?? "")) done();
    });
    socket.on("close", done);
    socket.write(bytes);
  });
}

test(
  `${total} requests of any kind get no 5xx, tell no secret, and leave nothing behind`,
  async () => {
    const job = aJob("fuzzed");
    const [alloc, evaluation] = [anAllocation(job), anEvaluation(job)];
    await api.commit({ kind: "job", job, spec: true }, { kind: "alloc-create", alloc }, { kind: "eval", eval: evaluation });
    const client = await api.token({ namespace: { default: { policy: "read" } } });
    const routes = allRoutes({ ...({} as ApiDeps), store: api.store, acl: api.acl, options: defaultApiOptions });
    const words = {
      paths: [
        ...routes.map(({ path }) => path),
        ...[...fsActions.keys()].map((action) => `/v1/client/fs/${action}/:id`),
        "/ui/",
        "/",
        "/v2/x",
        "*",
      ],
      ids: [alloc.ID, evaluation.ID, "fuzzed", UNKNOWN_ID, client.accessor, alloc.ID.slice(0, 8)],
      tokens: [api.management, api.management, client.secret, UNKNOWN_ID, "x"],
    };
    const { port } = api.http;
    const wrong: string[] = [];
    const seen = new Map<number, number>();
    let sent = 0;
    await Promise.all(
      Array.from({ length: atOnce }, async (_, worker) => {
        const source = chance(seed * 1_000 + worker);
        for (let n = worker; n < total; n += atOnce) {
          const bytes = fuzzRequest(source, words);
          const { statuses, text } = await send(port, bytes);
          sent++;
          for (const status of statuses) seen.set(status, (seen.get(status) ?? 0) + 1);
          // A mistake in a header may be told back with what was sent itself.
          const tells = (text.includes(api.management) && !bytes.includes(api.management)) || text.includes("SecretHash");
          const isBad = tells || statuses.some((status) => status >= 500);
          if (isBad && wrong.length < 5) wrong.push(`${bytes.toString("latin1").slice(0, 2_000)}\n→ ${text.slice(0, 500)}`);
        }
      }),
    );
    expect(wrong).toEqual([]);
    expect(api.logged.filter((line) => /request failed|upgrade failed/.test(line))).toEqual([]);
    expect(sent).toBe(total);
    // It got past the doors, and was refused at all of them.
    for (const status of [200, 400, 403, 404, 405]) expect([status, (seen.get(status) ?? 0) > total / 1_000]).toEqual([status, true]);
    expect((await api.http.get("/v1/agent/health")).status).toBe(200);
    await expectIdle();
  },
  60_000 + total * 40,
);

async function expectIdle(): Promise<void> {
  const deadline = Date.now() + 10_000;
  const state = async () => ({
    connections: await new Promise<number>((resolve) => api.api.server.getConnections((_error, count) => resolve(count))),
    blocked: api.api.blockedQueries(),
    watching: api.authority.watching,
  });
  for (let now = await state(); ; now = await state()) {
    if (now.connections + now.blocked + now.watching === 0) return;
    if (Date.now() > deadline) throw new Error(`left behind: ${JSON.stringify(now)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
