import { blankTaskEvent, type TaskEvent } from "../model/task-state.js";

/** The members that a row's columns do not hold and that say something: most members of most events say nothing. */
export function eventBody({ Type, Time, ...event }: TaskEvent): object {
  const said = Object.entries(event).filter(([member, value]) => {
    if (member === "Details") return Object.keys(event.Details).length > 0;
    return value !== blankTaskEvent[member as keyof typeof blankTaskEvent];
  });
  return Object.fromEntries(said);
}

export const eventOf = (type: string, time: bigint, body: object): TaskEvent => ({ Type: type, Time: time, ...blankTaskEvent, ...body });
