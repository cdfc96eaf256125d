import { parseJson } from "../model/json.js";
import type { ScalingEvents } from "../model/scaling.js";
import type { SchedulerConfig } from "../model/scheduler-config.js";
import { jobKey } from "./effect.js";

export interface ScalingEventsRow {
  readonly namespace: string;
  readonly id: string;
  readonly body: string;
}

export const decodeSchedulerConfig = (body: string): SchedulerConfig => parseJson(body) as SchedulerConfig;

/** By job key. */
export const decodeScalingEvents = (rows: readonly ScalingEventsRow[]): ReadonlyMap<string, ScalingEvents> =>
  new Map(rows.map(({ namespace, id, body }) => [jobKey(namespace, id), withTimes(parseJson(body) as ScalingEvents)]));

/** A time may be read as a number when it is small, and the model says bigint. */
const withTimes = (events: ScalingEvents): ScalingEvents =>
  Object.fromEntries(Object.entries(events).map(([group, list]) => [group, list.map((event) => ({ ...event, Time: BigInt(event.Time) }))]));
