import type { TaskEvent } from "../model/task-state.js";

/** A task event of which nothing is said. Most members of most events are like this, so a row holds only the others. */
const blank: Omit<TaskEvent, "Type" | "Time"> = {
  DisplayMessage: "",
  Details: {},
  Message: "",
  DriverError: "",
  DriverMessage: "",
  ExitCode: 0,
  Signal: 0,
  FailsTask: false,
  FailedSibling: "",
  GenericSource: "",
  DiskLimit: 0,
  DownloadError: "",
  KillError: "",
  KillReason: "",
  KillTimeout: 0,
  RestartReason: "",
  SetupError: "",
  StartDelay: 0,
  TaskSignal: "",
  TaskSignalReason: "",
  ValidationError: "",
  VaultError: "",
};

/** The members that a row's columns do not hold and that say something. */
export function eventBody({ Type, Time, ...event }: TaskEvent): object {
  const said = Object.entries(event).filter(([member, value]) => {
    if (member === "Details") return Object.keys(event.Details).length > 0;
    return value !== blank[member as keyof typeof blank];
  });
  return Object.fromEntries(said);
}

export const eventOf = (type: string, time: bigint, body: object): TaskEvent => ({ Type: type, Time: time, ...blank, ...body });
