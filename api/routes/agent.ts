import { AllocdError } from "../../agent/errors.js";
import { isClientTerminal } from "../../agent/model/allocation.js";
import { describe } from "../../agent/model/invalid-field.js";
import { encodeJson } from "../../agent/model/json.js";
import type { StateReader } from "../../agent/store/state-store.js";
import type { AgentInfo, ApiDeps } from "../deps.js";
import { answer, type Route } from "../route.js";

interface AgentDeps {
  readonly store: StateReader;
  readonly agent: AgentInfo;
  readonly health?: ApiDeps["health"];
  readonly acl?: unknown;
  readonly options: { readonly region: string };
}

export const agentRoutes = (deps: AgentDeps): readonly Route[] => [
  { method: "GET", path: "/v1/agent/self", access: "agent:read", handler: () => answer(encodeJson(self(deps))) },
  { method: "GET", path: "/v1/agent/members", access: "node:read", handler: () => answer(encodeJson(members(deps))) },
  {
    method: "GET",
    path: "/v1/agent/health",
    access: "public",
    handler: (call) => {
      const type = call.query.text("type");
      if (type !== undefined && type !== "client" && type !== "server") {
        throw new AllocdError("bad-query", `type: got ${describe(type)}, want "client" or "server"`);
      }
      const { degraded, warnings } = deps.health ?? { degraded: deps.store.degraded, warnings: [] };
      const state = degraded === null ? { message: "ok", ok: true } : { message: `degraded: ${degraded}`, ok: false };
      const health = { client: state, server: state };
      const asked = type === undefined ? health : { [type]: state };
      return answer(encodeJson(warnings.length > 0 ? { ...asked, warnings } : asked), { status: degraded === null ? 200 : 500 });
    },
  },
];

/** Host and port of the HTTP API, as the node advertises them. */
export function advertised(store: StateReader): { readonly host: string; readonly port: number } {
  const address = store.node()?.HTTPAddr ?? "";
  const colon = address.lastIndexOf(":");
  return { host: address.slice(0, Math.max(colon, 0)), port: Number(address.slice(colon + 1)) || 0 };
}

/** What is said here is chosen member by member, so that no secret of the configuration gets out. */
function self(deps: AgentDeps): object {
  const { store, agent, options } = deps;
  const aclEnabled = deps.acl !== undefined;
  const node = store.node();
  const { host, port } = advertised(store);
  const alive = store.allocs().filter((alloc) => !isClientTerminal(alloc)).length;
  return {
    config: {
      ACL: { Enabled: aclEnabled },
      AdvertiseAddrs: { HTTP: node?.HTTPAddr ?? "" },
      BindAddr: host,
      Client: { Enabled: true, NodePool: node?.NodePool ?? "", NodeClass: node?.NodeClass ?? "", Meta: node?.Meta ?? {} },
      DataDir: agent.dataDir,
      Datacenter: node?.Datacenter ?? "",
      DevMode: false,
      NodeName: node?.Name ?? "",
      Ports: { HTTP: port },
      Region: options.region,
      Server: { Enabled: true },
      UI: { Enabled: false, ShowCLIHints: false },
      Version: { Revision: "", Version: agent.version, VersionMetadata: "", VersionPrerelease: "" },
    },
    member: member(deps),
    stats: {
      client: { node_id: node?.ID ?? "", known_servers: node?.HTTPAddr ?? "", num_allocations: String(alive) },
      nomad: { bootstrap: "true", known_regions: "1", leader: "true", leader_addr: node?.HTTPAddr ?? "", server: "true" },
      raft: { applied_index: String(store.index), commit_index: String(store.index), num_peers: "0", state: "Leader" },
      runtime: { arch: process.arch, "kernel.name": process.platform, version: process.version },
    },
  };
}

function members(deps: AgentDeps): object {
  const node = deps.store.node();
  return {
    Members: [member(deps)],
    ServerDC: node?.Datacenter ?? "",
    ServerName: node?.Name ?? "",
    ServerRegion: deps.options.region,
  };
}

/** This agent as the one server of its region. */
function member({ store, agent, options }: AgentDeps): object {
  const node = store.node();
  const { host, port } = advertised(store);
  return {
    Addr: host,
    DelegateCur: 4,
    DelegateMax: 5,
    DelegateMin: 2,
    Name: `${node?.Name ?? ""}.${options.region}`,
    Port: port,
    ProtocolCur: 2,
    ProtocolMax: 5,
    ProtocolMin: 1,
    Status: "alive",
    Tags: {
      build: agent.version,
      dc: node?.Datacenter ?? "",
      id: node?.ID ?? "",
      port: String(port),
      region: options.region,
      role: "allocd",
    },
  };
}
