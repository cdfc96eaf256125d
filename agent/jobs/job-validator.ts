import type { Driver } from "../../drivers/driver.js";
import { TaskConfigError } from "../../drivers/driver.js";
import { InvalidField } from "../model/invalid-field.js";
import type { Job } from "../model/job.js";
import { jobFromApi } from "../model/job-intake.js";
import { checkDrivers } from "../model/namespace.js";
import type { StateReader } from "../store/state-store.js";
import { jobWarnings } from "./job-warnings.js";

export interface JobValidatorDeps {
  readonly store: Pick<StateReader, "namespace">;
  readonly drivers: ReadonlyMap<string, Pick<Driver, "validate">>;
}

export interface Validation {
  /** What is wrong, each with its field. */
  readonly errors: readonly string[];
  /** Empty when there is nothing to say. */
  readonly warnings: string;
}

/** Says what a registration would say of a job, and what its drivers would at the start of its tasks. Nothing is stored. */
export class JobValidator {
  readonly #deps: JobValidatorDeps;

  constructor(deps: JobValidatorDeps) {
    this.#deps = deps;
  }

  /** @param input a job as a caller gave it. */
  validate(input: unknown): Validation {
    try {
      const job = jobFromApi(input);
      return { errors: this.#errorsOf(job), warnings: jobWarnings(job) };
    } catch (error) {
      if (error instanceof InvalidField) return { errors: [error.message], warnings: "" };
      throw error;
    }
  }

  #errorsOf(job: Job): readonly string[] {
    const namespace = this.#deps.store.namespace(job.Namespace);
    if (!namespace) return [`job "${job.ID}" is in nonexistent namespace "${job.Namespace}"`];
    checkDrivers(namespace, job);
    return job.TaskGroups.flatMap(({ Name: group, Tasks }) =>
      Tasks.flatMap(({ Name: task, Driver: name, Config }) => {
        const error = this.#driverError(name, Config ?? {});
        return error === undefined ? [] : [`group "${group}" -> task "${task}" -> config: ${error}`];
      }),
    );
  }

  /** A config that refers to what is known only when the task starts can not be judged before. */
  #driverError(name: string, config: Readonly<Record<string, unknown>>): string | undefined {
    const driver = this.#deps.drivers.get(name);
    if (!driver || JSON.stringify(config, (_, value: unknown) => (typeof value === "bigint" ? String(value) : value)).includes("${"))
      return undefined;
    try {
      driver.validate(config);
      return undefined;
    } catch (error) {
      if (error instanceof TaskConfigError) return error.message;
      throw error;
    }
  }
}
