import fc from "fast-check";
import { BadReference, parseImageReference } from "./image-reference.js";

const digest = `sha256:${"0123456789abcdef".repeat(4)}`;

test.each([
  ["redis", "docker.io", "redis:latest", "docker.io/library/redis:latest"],
  ["redis:3.2", "docker.io", "redis:3.2", "docker.io/library/redis:3.2"],
  ["library/redis:3.2", "docker.io", "library/redis:3.2", "docker.io/library/redis:3.2"],
  ["docker.io/redis:3.2", "docker.io", "docker.io/redis:3.2", "docker.io/library/redis:3.2"],
  ["index.docker.io/a/b", "docker.io", "index.docker.io/a/b:latest", "docker.io/a/b:latest"],
  ["a/b", "docker.io", "a/b:latest", "docker.io/a/b:latest"],
  ["localhost/b", "localhost", "localhost/b:latest", "localhost/b:latest"],
  ["a.b/c", "a.b", "a.b/c:latest", "a.b/c:latest"],
  ["127.0.0.1:9/none:1", "127.0.0.1:9", "127.0.0.1:9/none:1", "127.0.0.1:9/none:1"],
  ["[::1]:5000/x", "[::1]:5000", "[::1]:5000/x:latest", "[::1]:5000/x:latest"],
  ["reg:5000/a/b__c/d-e.f:V1_x.y-z", "reg:5000", "reg:5000/a/b__c/d-e.f:V1_x.y-z", "reg:5000/a/b__c/d-e.f:V1_x.y-z"],
  [`redis@${digest}`, "docker.io", `redis@${digest}`, `docker.io/library/redis@${digest}`],
  [`reg:5000/x:tag@${digest}`, "reg:5000", `reg:5000/x@${digest}`, `reg:5000/x@${digest}`],
  ["https://reg.io/x:1", "reg.io", "reg.io/x:1", "reg.io/x:1"],
  [digest, "", digest, digest.slice(7)],
  [digest.slice(7), "", digest.slice(7), digest.slice(7)],
])("%s", (image, registry, name, canonical) => {
  expect(parseImageReference(image)).toMatchObject({ registry, name, canonical });
});

test.each([
  ["", "it is empty"],
  ["https://", "it is empty"],
  ["Redis", "a repository's name is in lower case"],
  ["reg.io/Redis", "a repository's name is in lower case"],
  ["redis:", '"" is no tag'],
  ["redis:a b", '"a b" is no tag'],
  [`redis:${"t".repeat(129)}`, "is no tag"],
  ["redis@sha256:12", '"sha256:12" is no digest'],
  ["redis@", '"" is no digest'],
  ["a//b", '"" is no part of a name'],
  ["/a", '"" is no part of a name'],
  ["a/", '"" is no part of a name'],
  ["-a", '"-a" is no part of a name'],
  ["a b", '"a b" is no part of a name'],
  ["re_g.io/x", '"re_g.io" is no registry'],
  ["reg.io:port/x", '"reg.io:port" is no registry'],
  [`${"a/".repeat(130)}b`, "more than 255 characters"],
  ["a?b=c/../d", "is no part of a name"],
])("%j is refused: %s", (image, why) => {
  expect(() => parseImageReference(image)).toThrow(BadReference);
  expect(() => parseImageReference(image)).toThrow(why);
});

test("any text is a reference or refused, and what the engine is told means the same", () => {
  const piece = fc.stringMatching(/^[a-zA-Z0-9._:/@-]{0,30}$/);
  fc.assert(
    fc.property(fc.oneof(piece, fc.string()), (image) => {
      try {
        const { name, canonical } = parseImageReference(image);
        expect(parseImageReference(name).canonical).toBe(canonical);
        // It becomes part of a path and a query.
        expect(name).toMatch(/^[\w.:/@[\]+-]+$/);
      } catch (error) {
        if (!(error instanceof BadReference)) throw error;
      }
    }),
    { numRuns: 2000 },
  );
});
