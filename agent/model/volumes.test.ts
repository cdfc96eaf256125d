import { missingVolume } from "./volumes.js";

const node = { HostVolumes: { data: { Name: "data", Path: "/d", ReadOnly: false }, certs: { Name: "certs", Path: "/c", ReadOnly: true } } };
const asks = (Source: string, ReadOnly = false) => ({ Volumes: { v: { Name: "v", Type: "host" as const, Source, ReadOnly } } });

test.each([
  [{}, undefined],
  [asks("data"), undefined],
  [asks("data", true), undefined],
  [asks("certs", true), undefined],
  [asks("certs"), 'host volume "certs" is read-only'],
  [asks("none"), 'missing host volume "none"'],
  [asks("constructor"), 'missing host volume "constructor"'],
])("%j: %s", (group, missing) => expect(missingVolume(group, node)).toBe(missing));

test("a node that offers none misses all", () => expect(missingVolume(asks("data"), {})).toBe('missing host volume "data"'));
