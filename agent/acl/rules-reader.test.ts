import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { RulesReader } from "./rules-reader.js";

// The parser's thread runs compiled code.
const reader = new RulesReader(pathToFileURL(join(resolve(import.meta.dirname, "../.."), "dist/agent/hcl/worker.js")));

test("HCL and JSON of the same rules are the same", async () => {
  const hcl = `
    # what a deployer may do
    namespace "prod-*" {
      policy       = "write"
      capabilities = ["alloc-node-exec"]
      variables {
        path "app/*" { capabilities = ["read"] }
      }
    }
    node { policy = "read" }`;
  const json = {
    namespace: {
      "prod-*": { policy: "write", capabilities: ["alloc-node-exec"], variables: { path: { "app/*": { capabilities: ["read"] } } } },
    },
    node: { policy: "read" },
  };
  expect(await reader.read(hcl)).toEqual(await reader.read(JSON.stringify(json)));
});

test("no rules allow nothing", async () => {
  expect(await reader.read(" \n")).toEqual({ namespace: [], node_pool: [], host_volume: [] });
});

test.each([
  ['namespace "x" {', /^Rules: rules\.hcl:1/],
  ['namespace "x" { policy = "x" }', /^Rules\.namespace\["x"\]\.policy: got "x"/],
  ['{"namespace": ', /^Rules: no JSON/],
  ["anything", /^Rules: rules\.hcl:1/],
])("%j is refused with its place", async (text, message) => {
  await expect(reader.read(text)).rejects.toThrow(message);
});

test("a text that is too long is refused unread", async () => {
  await expect(reader.read("x".repeat(70_000))).rejects.toThrow("Rules: want at most 65536 bytes");
});
