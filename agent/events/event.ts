import type { Allocation } from "../model/allocation.js";
import type { Deployment } from "../model/deployment.js";
import { encodeAllocationWithoutJob } from "../model/encode-allocation.js";
import { encodeDeployment } from "../model/encode-deployment.js";
import { encodeEvaluation } from "../model/encode-evaluation.js";
import { encodeJob } from "../model/encode-job.js";
import { encodeNode } from "../model/encode-node.js";
import { encodeService } from "../model/encode-service.js";
import type { Evaluation } from "../model/evaluation.js";
import type { Job } from "../model/job.js";
import { encodeJson } from "../model/json.js";
import type { Node } from "../model/node.js";
import type { ServiceRegistration } from "../model/service-registration.js";
import type { Change, StateReader } from "../store/state-store.js";

export const TOPICS = ["Job", "Evaluation", "Allocation", "Deployment", "Node", "Service"] as const;
export type Topic = (typeof TOPICS)[number];

/** One thing that happened, as subscribers get it. Source: reference sample of the event stream. */
export interface StreamEvent {
  readonly Topic: Topic;
  readonly Type: string;
  readonly Key: string;
  /** Empty for what is in none. */
  readonly Namespace: string;
  /** Other ids by which it can be asked for. */
  readonly FilterKeys: readonly string[];
  /** About how much memory it holds on to. */
  readonly bytes: number;
  /** Encodes the payload, when somebody wants it. */
  payload(): string;
}

/**
 * What a visible change tells. A change of what is gone already tells nothing.
 *
 * @param store as it is right after the change.
 */
export function eventOf(change: Change, store: StateReader): StreamEvent | undefined {
  switch (change.kind) {
    case "job": {
      const job = store.job(change.job.Namespace, change.job.ID);
      // That a job runs now or is over is told by its evaluations and allocations.
      return job && change.spec ? jobEvent(job, job.Stop ? "JobDeregistered" : "JobRegistered") : undefined;
    }
    case "job-delete":
      return { ...jobKeys(change.namespace, change.id), Type: "JobDeregistered", bytes: SMALL, payload: () => '{"Job":null}' };
    case "eval": {
      const evaluation = store.eval(change.eval.ID);
      return evaluation && evaluationEvent(evaluation);
    }
    case "deployment": {
      const deployment = store.deployment(change.deployment.ID);
      return deployment && deploymentEvent(deployment);
    }
    case "alloc-create": {
      const alloc = store.alloc(change.alloc.ID);
      return alloc && allocationEvent(alloc, "PlanResult");
    }
    case "alloc-desired": {
      const alloc = store.alloc(change.id);
      return alloc && allocationEvent(alloc, change.patch.DesiredTransition ? "AllocationUpdateDesiredStatus" : "PlanResult");
    }
    case "alloc-observed": {
      const alloc = store.alloc(change.id);
      return alloc && allocationEvent(alloc, "AllocationUpdated");
    }
    case "node": {
      const node = store.node();
      return node && nodeEvent(node);
    }
    case "service": {
      const service = store.service(change.service.ID);
      return service && serviceEvent(service, "ServiceRegistration");
    }
    case "service-delete":
      return serviceEvent({ CreateIndex: 0, ModifyIndex: 0, ...change.service }, "ServiceDeregistration");
    default:
      return undefined;
  }
}

/** What any object but a job takes at most, for each of its tasks. */
const SMALL = 4096;

const jobKeys = (Namespace: string, ID: string) => ({ Topic: "Job" as const, Key: ID, Namespace, FilterKeys: [] });

function jobEvent(job: Job, Type: string): StreamEvent {
  // A job may be megabytes. Its text is kept, as it is what tells how much.
  const text = `{"Job":${encodeJob(job)}}`;
  const FilterKeys = job.ParentID === "" ? [] : [job.ParentID];
  return { ...jobKeys(job.Namespace, job.ID), FilterKeys, Type, bytes: SMALL + text.length, payload: () => text };
}

const evaluationEvent = (evaluation: Evaluation): StreamEvent => ({
  Topic: "Evaluation",
  Type: "EvaluationUpdated",
  Key: evaluation.ID,
  Namespace: evaluation.Namespace,
  FilterKeys: keys(evaluation.JobID, evaluation.DeploymentID),
  bytes: SMALL,
  payload: () => `{"Evaluation":${encodeEvaluation(evaluation)}}`,
});

const deploymentEvent = (deployment: Deployment): StreamEvent => ({
  Topic: "Deployment",
  Type: "DeploymentStatusUpdate",
  Key: deployment.ID,
  Namespace: deployment.Namespace,
  FilterKeys: keys(deployment.JobID),
  bytes: SMALL,
  payload: () => `{"Deployment":${encodeDeployment(deployment)}}`,
});

function allocationEvent({ Job, ...alloc }: Allocation, Type: string): StreamEvent {
  // The job would be most of it, and whoever wants it has a topic for jobs.
  const told = { ...alloc, Job: { Type: Job.Type, Version: Job.Version } };
  return {
    Topic: "Allocation",
    Type,
    Key: alloc.ID,
    Namespace: alloc.Namespace,
    FilterKeys: keys(alloc.JobID, alloc.DeploymentID),
    bytes: SMALL * (1 + Object.keys(alloc.TaskStates ?? {}).length),
    payload: () => `{"Allocation":${encodeAllocationWithoutJob(told)}}`,
  };
}

const nodeEvent = (node: Node): StreamEvent => ({
  Topic: "Node",
  Type: "NodeRegistration",
  Key: node.ID,
  Namespace: "",
  FilterKeys: [],
  bytes: SMALL,
  payload: () => `{"Node":${encodeNode(node)}}`,
});

const serviceEvent = (service: ServiceRegistration, Type: string): StreamEvent => ({
  Topic: "Service",
  Type,
  Key: service.ID,
  Namespace: service.Namespace,
  FilterKeys: keys(service.ServiceName),
  bytes: SMALL,
  payload: () => `{"Service":${encodeService(service)}}`,
});

const keys = (...ids: readonly string[]): readonly string[] => ids.filter((id) => id !== "");

/** One event as a member of a line's list. */
export const encodeEvent = ({ Topic, Type, Key, Namespace, FilterKeys, payload }: StreamEvent, index: number): string =>
  `${encodeJson({ FilterKeys, Index: index, Key, Namespace }).slice(0, -1)},"Payload":${payload()},"Topic":"${Topic}","Type":"${Type}"}`;
