import { gunzipSync } from "node:zlib";
import { ResponseCache } from "./response-cache.js";

const cache = (responseCacheBytes = 1 << 20) => new ResponseCache({ responseCacheBytes, gzipLevel: 1 });

test("who asks the same at the same index shares one encoding and one compression", async () => {
  const responses = cache();
  let encodings = 0;
  const encode = () => ({ json: `[${++encodings}]` });
  const [a, b] = [responses.get("k", 1, encode), responses.get("k", 1, encode)];
  expect(encodings).toBe(1);
  expect(a.gzip()).toBe(b.gzip());
  expect(gunzipSync(await a.gzip()).toString()).toBe("[1]");
});

test("a newer index is encoded anew and takes the place of the old one", () => {
  const responses = cache();
  responses.get("k", 1, () => ({ json: "old" }));
  const bytes = responses.bytes;
  expect(responses.get("k", 2, () => ({ json: "new" })).body.toString()).toBe("new");
  expect(responses.bytes).toBe(bytes);
});

test("an error is not kept", () => {
  const responses = cache();
  expect(() =>
    responses.get("k", 1, () => {
      throw new Error("no");
    }),
  ).toThrow("no");
  expect(responses.bytes).toBe(0);
  expect(responses.get("k", 1, () => ({ json: "yes" })).body.toString()).toBe("yes");
});

test("the bytes stay within the limit, and what was used last stays", () => {
  const responses = cache(10_000);
  const big = "x".repeat(2_000);
  let encodings = 0;
  const encode = () => {
    encodings++;
    return { json: big };
  };
  for (let i = 0; i < 50; i++) {
    responses.get("often", 1, encode);
    responses.get(`once ${i}`, 1, () => ({ json: big }));
    expect(responses.bytes).toBeLessThanOrEqual(10_000);
  }
  expect(encodings).toBe(1);
});

test("a response above the limit is answered and not kept", () => {
  const responses = cache(1_000);
  expect(responses.get("k", 1, () => ({ json: "x".repeat(5_000) })).body).toHaveLength(5_000);
  expect(responses.bytes).toBe(0);
});
