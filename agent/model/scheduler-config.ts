import { FieldReader } from "./field-reader.js";

/** What an operator may say about scheduling. Source: Nomad's operator API, scheduler configuration. */
export interface SchedulerConfig {
  /** With one node there is nothing to choose between: kept. */
  readonly SchedulerAlgorithm: "binpack" | "spread";
  readonly PreemptionConfig: PreemptionConfig;
  /** No job may be registered, dispatched or scaled. */
  readonly RejectJobRegistration: boolean;
  /** Kept: a task's MemoryMaxMB always counts. */
  readonly MemoryOversubscriptionEnabled: boolean;
  /** Always false: the scheduler of a host can not be paused. */
  readonly PauseEvalBroker: boolean;
  readonly CreateIndex: number;
  readonly ModifyIndex: number;
}

export interface PreemptionConfig {
  readonly SystemSchedulerEnabled: boolean;
  readonly SysBatchSchedulerEnabled: boolean;
  readonly BatchSchedulerEnabled: boolean;
  readonly ServiceSchedulerEnabled: boolean;
}

/** Nothing gives way to anything until an operator says so. */
export const defaultSchedulerConfig: SchedulerConfig = {
  SchedulerAlgorithm: "binpack",
  PreemptionConfig: {
    SystemSchedulerEnabled: false,
    SysBatchSchedulerEnabled: false,
    BatchSchedulerEnabled: false,
    ServiceSchedulerEnabled: false,
  },
  RejectJobRegistration: false,
  MemoryOversubscriptionEnabled: false,
  PauseEvalBroker: false,
  CreateIndex: 0,
  ModifyIndex: 0,
};

/** @throws InvalidField */
export function readSchedulerConfig(value: unknown, path: string): SchedulerConfig {
  const from = new FieldReader(value, path);
  const preemption = new FieldReader(from.raw("PreemptionConfig") ?? {}, from.at("PreemptionConfig"));
  if (from.flag("PauseEvalBroker")) throw from.invalid("PauseEvalBroker", "false: the scheduler of a host can not be paused");
  return {
    SchedulerAlgorithm: from.oneOf("SchedulerAlgorithm", ["binpack", "spread"], "binpack"),
    PreemptionConfig: {
      SystemSchedulerEnabled: preemption.flag("SystemSchedulerEnabled"),
      SysBatchSchedulerEnabled: preemption.flag("SysBatchSchedulerEnabled"),
      BatchSchedulerEnabled: preemption.flag("BatchSchedulerEnabled"),
      ServiceSchedulerEnabled: preemption.flag("ServiceSchedulerEnabled"),
    },
    RejectJobRegistration: from.flag("RejectJobRegistration"),
    MemoryOversubscriptionEnabled: from.flag("MemoryOversubscriptionEnabled"),
    PauseEvalBroker: false,
    CreateIndex: 0,
    ModifyIndex: 0,
  };
}
