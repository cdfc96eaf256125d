import { type AclFixture, startAclApi } from "../testing/acl-fixture.js";
import { ManualClock } from "../testing/manual.js";

let api: AclFixture;

afterEach(() => api.close());

const readers = { namespace: { default: { policy: "read" } } };

const blockedIn = (secret: string) => api.http.get("/v1/allocations?index=900&wait=5m", api.as(secret));

async function untilBlocked(count: number): Promise<void> {
  while (api.api.blockedQueries() !== count) await new Promise((resolve) => setImmediate(resolve));
}

test("a blocking query ends with 403 when its token is deleted, and others go on", async () => {
  api = await startAclApi();
  const [one, other] = [await api.token(readers), await api.token(readers)];
  const answers = [blockedIn(one.secret), blockedIn(other.secret)] as const;
  await untilBlocked(2);
  const started = performance.now();
  await api.acl.deleteToken(one.accessor);
  expect(await answers[0]).toMatchObject({ status: 403, text: "Permission denied" });
  expect(performance.now() - started).toBeLessThan(1_000);
  await untilBlocked(1);
  expect(api.authority.watching).toBe(1);
  await api.acl.deleteToken(other.accessor);
  expect((await answers[1]).status).toBe(403);
  expect(api.authority.watching).toBe(0);
});

test.each([
  ["its policy no longer allows it", () => api.acl.putPolicy({ Name: "p1", Description: "", Rules: '{"node":{"policy":"read"}}' })],
  ["its policy is gone", () => api.acl.deletePolicy("p1")],
])("it ends when %s", async (_what, change) => {
  api = await startAclApi();
  const { secret } = await api.token(readers);
  const answer = blockedIn(secret);
  await untilBlocked(1);
  await change();
  expect((await answer).status).toBe(403);
});

test("it goes on when another policy changes", async () => {
  api = await startAclApi();
  const { secret, accessor } = await api.token(readers);
  const answer = blockedIn(secret);
  await untilBlocked(1);
  await api.acl.putPolicy({ Name: "unrelated", Description: "", Rules: "" });
  expect(api.api.blockedQueries()).toBe(1);
  await api.acl.deleteToken(accessor);
  await answer;
});

test("it ends when its token expires, which then opens nothing", async () => {
  const clock = new ManualClock();
  api = await startAclApi({ clock });
  const { secret } = await api.token(readers, { ExpirationTTL: "1h" });
  const answer = blockedIn(secret);
  await untilBlocked(1);
  // The query's own wait would be over as well after five minutes.
  await clock.advance(60_000);
  expect(api.api.blockedQueries()).toBe(1);
  const late = api.token(readers, { ExpirationTTL: "10s" }).then(async (token) => {
    const waiting = blockedIn(token.secret);
    await untilBlocked(2);
    await clock.advance(10_001);
    expect(await waiting).toMatchObject({ status: 403, text: "Permission denied" });
    expect(await api.http.get("/v1/allocations", api.as(token.secret))).toMatchObject({ status: 403, text: "ACL token expired" });
  });
  await late;
  await api.api.close();
  expect((await answer).status).toBe(200);
});

test("tokens that have expired are removed when another is made", async () => {
  const clock = new ManualClock();
  api = await startAclApi({ clock });
  const { accessor } = await api.token(readers, { ExpirationTTL: "10s" });
  await clock.advance(10_001);
  expect(api.store.acl.token(accessor)).toBeDefined();
  await api.token(readers);
  expect(api.store.acl.token(accessor)).toBeUndefined();
});

test("too many wrong tokens are 429 with Retry-After", async () => {
  api = await startAclApi({ maxFailures: 3 });
  for (let i = 0; i < 3; i++) expect((await api.http.get("/v1/allocations", api.as(`wrong ${i}`))).status).toBe(403);
  const late = await api.http.get("/v1/allocations", api.as("wrong"));
  expect([late.status, Number(late.headers["retry-after"])]).toEqual([429, expect.any(Number)]);
  expect((await api.http.get("/v1/agent/health")).status).toBe(200);
});
