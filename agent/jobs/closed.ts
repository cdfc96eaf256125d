import { AllocdError } from "../errors.js";
import type { StateReader } from "../store/state-store.js";

/** @throws AllocdError when the operator lets no job in. Source of the text: reference behaviour §1.1. */
export function refuseWhenClosed(store: StateReader): void {
  if (store.schedulerConfig()?.RejectJobRegistration)
    throw new AllocdError("permission-denied", "Job registration, dispatch, and scale are disabled by the scheduler configuration");
}
