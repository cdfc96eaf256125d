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
import { deploymentCommandRoutes } from "./deployment-commands.js";
import { deploymentsRoutes } from "./deployments.js";
import { evaluationsRoutes } from "./evaluations.js";
import { eventsRoutes } from "./events.js";
import { gcRoutes } from "./gc.js";
import { jobRoutes } from "./job.js";
import { jobLaunchesRoutes } from "./job-launches.js";
import { jobSchedulingRoutes } from "./job-scheduling.js";
import { jobSpecsRoutes } from "./job-specs.js";
import { jobVersionsRoutes } from "./job-versions.js";
import { jobsRoutes } from "./jobs.js";
import { namespacesRoutes } from "./namespaces.js";
import { nodeCommandRoutes } from "./node-commands.js";
import { nodesRoutes } from "./nodes.js";
import { operatorRoutes } from "./operator.js";
import { searchRoutes } from "./search.js";
import { servicesRoutes } from "./services.js";
import { statsRoutes } from "./stats.js";
import { systemRoutes } from "./system.js";
import { variablesRoutes } from "./variables.js";

type RouteDeps = Pick<
  ApiDeps,
  | "store"
  | "jobs"
  | "namespaces"
  | "specs"
  | "events"
  | "allocs"
  | "scheduling"
  | "deployments"
  | "nodes"
  | "services"
  | "gc"
  | "agent"
  | "health"
  | "stats"
  | "variables"
  | "acl"
> & {
  readonly options: ApiOptions;
};

/** Every endpoint. */
export const allRoutes = (deps: RouteDeps): readonly Route[] => [
  ...allocationsRoutes(deps),
  ...allocationRoutes(deps),
  ...clientAllocationRoutes(deps),
  ...jobSpecsRoutes(deps),
  ...jobsRoutes(deps),
  ...jobRoutes(deps),
  ...jobVersionsRoutes(deps),
  ...jobLaunchesRoutes(deps),
  ...jobSchedulingRoutes(deps),
  ...evaluationsRoutes(deps),
  ...deploymentsRoutes(deps),
  ...deploymentCommandRoutes(deps),
  ...nodesRoutes(deps),
  ...nodeCommandRoutes(deps),
  ...operatorRoutes(deps),
  ...agentRoutes(deps),
  ...namespacesRoutes(deps),
  ...searchRoutes(deps),
  ...eventsRoutes(deps),
  ...systemRoutes(deps),
  ...statsRoutes(deps),
  ...aclPolicyRoutes(deps),
  ...aclTokenRoutes(deps),
  ...aclRoleRoutes(deps),
  ...servicesRoutes(deps),
  ...gcRoutes(deps),
  ...variablesRoutes(deps),
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
