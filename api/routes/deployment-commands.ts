import type { NamespaceCapability } from "../../agent/acl/capabilities.js";
import type { DeploymentResult } from "../../agent/jobs/deployment-service.js";
import { FieldReader, readText } from "../../agent/model/field-reader.js";
import { encodeJson } from "../../agent/model/json.js";
import { checkUuid } from "../../agent/model/uuid.js";
import type { StateReader } from "../../agent/store/state-store.js";
import { readAllocs } from "../alloc-list.js";
import type { DeploymentCommands } from "../commands.js";
import { found, uuidOf } from "../lookup.js";
import { type Answer, answer, type Call, type Route } from "../route.js";

/** What callers may decide about a deployment, and who belongs to it. */
export const deploymentCommandRoutes = ({
  store,
  deployments,
}: {
  readonly store: StateReader;
  readonly deployments: DeploymentCommands;
}): readonly Route[] => {
  const command = (
    name: string,
    capability: NamespaceCapability,
    run: (id: string, body: FieldReader) => Promise<DeploymentResult>,
  ): Route => ({
    method: ["PUT", "POST"],
    path: `/v1/deployment/${name}/:id`,
    access: `deployment:${capability}`,
    handler: async (call) => {
      const id = uuidOf(call);
      const body = await bodyOf(call);
      const named = body.text("DeploymentID");
      if (named !== "" && named !== id) throw body.invalid("DeploymentID", `the path's ${JSON.stringify(id)}`);
      return decided(await run(id, body));
    },
  });
  return [
    {
      method: "GET",
      path: "/v1/deployment/allocations/:id",
      access: "deployment:read-job",
      handler: (call) => {
        const id = uuidOf(call);
        return readAllocs(store, call, () => {
          const { Namespace, JobID } = found(store.deployment(id), "deployment not found");
          return store.allocsOfJob(Namespace, JobID).filter((alloc) => alloc.DeploymentID === id);
        });
      },
    },
    command("promote", "promote-deployment", (id, body) => {
      const groups = body.list("Groups", readText);
      if (!body.flag("All") && !groups?.length) throw body.invalid("Groups", "names of groups, or All");
      return body.flag("All") ? deployments.promote(id) : deployments.promote(id, groups ?? []);
    }),
    command("fail", "fail-deployment", (id) => deployments.fail(id)),
    command("pause", "pause-deployment", (id, body) => deployments.pause(id, body.flag("Pause"))),
    command("allocation-health", "set-alloc-health-deployment", (id, body) => {
      const ids = (name: string): readonly string[] => (body.list(name, readText) ?? []).map(checkUuid);
      return deployments.setHealth(id, ids("HealthyAllocationIDs"), ids("UnhealthyAllocationIDs"));
    }),
  ];
};

const bodyOf = async (call: Call): Promise<FieldReader> => new FieldReader((await call.body()) ?? {}, "");

const decided = (result: DeploymentResult): Answer =>
  answer(encodeJson({ ...result, KnownLeader: false, LastContact: 0, NextToken: "" }), { index: result.Index });
