import { AllocdError } from "../../agent/errors.js";
import { FieldReader } from "../../agent/model/field-reader.js";
import { jobFromApi } from "../../agent/model/job-intake.js";
import { encodeJson } from "../../agent/model/json.js";
import type { JobSpecs } from "../deps.js";
import { neededBody } from "../job-request.js";
import { answer, type Route } from "../route.js";

const WRITES = ["PUT", "POST"] as const;

/** Looks at job specifications without storing any. */
export const jobSpecsRoutes = ({ specs }: { readonly specs: JobSpecs }): readonly Route[] => [
  {
    method: WRITES,
    path: "/v1/validate/job",
    access: "namespace:read-job",
    changes: false,
    handler: async (call) => {
      const body = await neededBody(call);
      const job = new FieldReader(body, "").raw("Job");
      if (job === undefined) throw new AllocdError("invalid", "Job must be specified");
      const { errors, warnings } = specs.validate(job);
      return answer(
        encodeJson({
          DriverConfigValidated: true,
          Error: errors.length === 0 ? "" : multiError(errors),
          ValidationErrors: errors.length === 0 ? null : errors,
          Warnings: warnings,
        }),
      );
    },
  },
  {
    method: WRITES,
    path: "/v1/jobs/parse",
    access: ["namespace:parse-job", "namespace:submit-job"],
    changes: false,
    handler: async (call) => {
      const from = new FieldReader(await neededBody(call), "");
      if (from.text("JobHCL") === "") throw new AllocdError("invalid", "Job spec is empty");
      if (from.flag("HCLv1")) throw new AllocdError("invalid", "HCLv1: got true, want false: only HCL2 is read");
      const job = await specs.parse(from.text("JobHCL"), from.text("Variables"));
      return answer(encodeJson(from.flag("Canonicalize") ? jobFromApi(job) : job));
    },
  },
];

/** As Go's multierror prints it. Source: reference behaviour §4.9. */
const multiError = (errors: readonly string[]): string =>
  `${errors.length} error${errors.length === 1 ? "" : "s"} occurred:\n${errors.map((text) => `\t* ${text}\n`).join("")}\n`;
