import type { Deployment } from "../../agent/model/deployment.js";
import { encodeDeployment } from "../../agent/model/encode-deployment.js";
import type { StateReader } from "../../agent/store/state-store.js";
import { listRead } from "../listing.js";
import { found, uuidOf } from "../lookup.js";
import { byCreateIndex } from "../order.js";
import { type Route, read } from "../route.js";

export const deploymentsRoutes = ({ store }: { readonly store: StateReader }): readonly Route[] => [
  {
    method: "GET",
    path: "/v1/deployments",
    access: "list:read-job",
    handler: (call) =>
      listRead(call, {
        keys: ["deployments"],
        index: () => store.tableIndex("deployments"),
        items: () => deployments(store).sort(byCreateIndex.compare),
        order: byCreateIndex,
        ids: "uuid",
        encode: encodeDeployment,
      }),
  },
  {
    method: "GET",
    path: "/v1/deployment/:id",
    access: "deployment:read-job",
    handler: (call) => {
      const id = uuidOf(call);
      return read({
        keys: [`deployment:${id}`],
        coalesce: false,
        index: () => store.deployment(id)?.ModifyIndex ?? store.tableIndex("deployments"),
        result: () => ({ json: encodeDeployment(found(store.deployment(id), "deployment not found")) }),
      });
    },
  },
];

/** All of them: a deployment goes with its job. */
const deployments = (store: StateReader): Deployment[] => store.jobs().flatMap((job) => store.deploymentsOfJob(job.Namespace, job.ID));
