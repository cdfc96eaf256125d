import { TaskConfigError } from "../../../drivers/driver.js";
import { InterpolationError } from "../../model/interpolate.js";
import { failedValidation } from "../../model/task-events.js";
import { TaskFailure } from "../task-failure.js";
import { driverConfig } from "../task-spec.js";
import type { TaskHook } from "./task-hook.js";

/** Refuses a driver config that can not be used before anything is started with it. */
export const validateHook: TaskHook = {
  name: "validate",
  prestart({ alloc, task, node, driver, env }) {
    try {
      driver.validate(driverConfig(alloc, task, node, env));
    } catch (error) {
      if (error instanceof TaskConfigError || error instanceof InterpolationError) throw invalidConfig(error);
      throw error;
    }
  },
};

/** Source of the text: reference behaviour §4.3. */
export function invalidConfig(error: TaskConfigError | InterpolationError): TaskFailure {
  const text = `2 errors occurred:\n\t* failed to parse config: \n\t* ${error.message}\n\n`;
  return new TaskFailure(text, (at) => failedValidation(at, text), false, { cause: error });
}
