import { writeFileSync } from "node:fs";
import { container, dockerScenario } from "../support/engine.js";
import { job, SECOND } from "../support/jobs.js";

dockerScenario("a container's own health check decides over the health of its allocation", async (start, engine) => {
  engine.docker("tag", "busybox:local", "checked:local");
  const built = engine.docker("create", "busybox:local", "true");
  engine.docker("commit", "--change", "HEALTHCHECK --interval=200ms --retries=1 CMD test -e /alloc/data/well", built, "checked:local");
  engine.docker("rm", built);
  const agent = await start();
  const update = {
    Update: {
      MaxParallel: 1,
      HealthCheck: "checks",
      MinHealthyTime: SECOND / 5,
      HealthyDeadline: 60 * SECOND,
      ProgressDeadline: 120 * SECOND,
    },
  };
  const { ID } = await agent.run(job("checked", [container("t", "exec sleep 1000", { image: "checked:local" })], {}, update));
  await agent.untilAlloc(ID, "to be seen unwell", (a) => JSON.stringify(a.TaskStates.t.Events).includes("Health check: unhealthy"));
  expect((await agent.read(`/v1/allocation/${ID}`)).DeploymentStatus?.Healthy ?? null).toBeNull();
  writeFileSync(`${agent.dataDir}/alloc/${ID}/alloc/data/well`, "");
  const well = await agent.untilAlloc(ID, "to be well", (a) => a.DeploymentStatus?.Healthy === true);
  expect(well.TaskStates.t.Events.at(-1).DisplayMessage).toBe("Health check: healthy");
});
