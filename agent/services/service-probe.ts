import type { TaskRun } from "../../drivers/driver.js";
import { interpolateText } from "../model/interpolate.js";
import type { Service, ServiceCheck } from "../model/job.js";
import { AddressError, resolveAddress } from "../model/service-address.js";
import { addressSources, type ServiceScope } from "../model/service-registration.js";
import { httpProbe } from "./http-probe.js";
import { failure, type Probe } from "./probe.js";
import { scriptProbe } from "./script-probe.js";
import { tcpProbe } from "./tcp-probe.js";

/**
 * How a check of a service looks at it.
 *
 * @param run what a script check runs in.
 */
export function probeOf(service: Service, given: ServiceCheck, scope: ServiceScope, run: TaskRun | null): Probe {
  const text = (value: string): string => interpolateText(value, scope.lookup);
  const check = interpolated(given, text);
  if (check.Type === "script") {
    return run ? scriptProbe(run, [check.Command, ...(check.Args ?? [])]) : async () => failure(`task "${check.TaskName}" does not run`);
  }
  // An address of the job's own is where the service is, so it is where the check looks.
  const mode = check.AddressMode || (service.Address === "" ? "host" : "auto");
  try {
    const label = check.PortLabel || text(service.PortLabel);
    const { address, port } = resolveAddress(mode, label, text(service.Address), addressSources(scope));
    return check.Type === "tcp" ? tcpProbe(address, port) : httpProbe(check, address, port);
  } catch (error) {
    if (error instanceof AddressError) return async () => failure(error.message);
    throw error;
  }
}

function interpolated(check: ServiceCheck, text: (value: string) => string): ServiceCheck {
  const header = Object.entries(check.Header ?? {}).map(([name, values]) => [name, values.map(text)] as const);
  return {
    ...check,
    Command: text(check.Command),
    Args: check.Args?.map(text) ?? null,
    Path: text(check.Path),
    PortLabel: text(check.PortLabel),
    TLSServerName: text(check.TLSServerName),
    Body: text(check.Body),
    Header: Object.fromEntries(header),
  };
}
