import { AllocdError } from "../../agent/errors.js";
import type { ApiDeps } from "../deps.js";
import type { ApiOptions } from "../options.js";
import type { Method, Route } from "../route.js";
import { aclPolicyRoutes } from "./acl-policies.js";
import { aclRoleRoutes } from "./acl-roles.js";
import { aclTokenRoutes } from "./acl-tokens.js";
import { agentRoutes } from "./agent.js";
import { allocationRoutes } from "./allocation.js";
import { allocationsRoutes } from "./allocations.js";
import { clientAllocationRoutes } from "./client-allocation.js";
import { deploymentsRoutes } from "./deployments.js";
import { evaluationsRoutes } from "./evaluations.js";
import { jobRoutes } from "./job.js";
import { jobsRoutes } from "./jobs.js";
import { nodesRoutes } from "./nodes.js";
import { statsRoutes } from "./stats.js";
import { systemRoutes } from "./system.js";

type RouteDeps = Pick<ApiDeps, "store" | "jobs" | "allocs" | "agent" | "stats" | "acl"> & { readonly options: ApiOptions };

/** Every endpoint. */
export const allRoutes = (deps: RouteDeps): readonly Route[] => [
  ...allocationsRoutes(deps),
  ...allocationRoutes(deps),
  ...clientAllocationRoutes(deps),
  ...jobsRoutes(deps),
  ...jobRoutes(deps),
  ...evaluationsRoutes(deps),
  ...deploymentsRoutes(deps),
  ...nodesRoutes(deps),
  ...agentRoutes(deps),
  ...systemRoutes(deps),
  ...statsRoutes(deps),
  ...aclPolicyRoutes(deps),
  ...aclTokenRoutes(deps),
  ...aclRoleRoutes(deps),
  ...nothingBelow("/v1/allocation/*rest", "/v1/client/allocation/*rest"),
];

const ANY: readonly Method[] = ["GET", "PUT", "POST", "DELETE"];

/** Unlike other unknown paths, those below an allocation say so. Source: reference behaviour §1.2. */
const nothingBelow = (...paths: readonly string[]): readonly Route[] =>
  paths.map((path) => ({
    method: ANY,
    path,
    access: "public" as const,
    changes: false as const,
    handler: () => {
      throw new AllocdError("not-found", "resource not found");
    },
  }));
