import type { DriverInfo } from "../../agent/model/node.js";
import type { Engine } from "./engine/engine.js";
import type { DockerOptions } from "./options.js";

/** The engine has so long to say how it is. */
const lookMs = 5_000;

interface EngineIpam {
  readonly Config?: readonly { readonly Gateway?: string }[] | null;
}

interface EngineInfo {
  readonly ServerVersion: string;
  readonly OSType: string;
  readonly Runtimes?: Readonly<Record<string, unknown>>;
}

/**
 * What the node says of the engine. Source: reference behaviour §6.1.
 *
 * @param wasThere whether it was seen before: one that is away is then unhealthy rather than absent.
 */
export async function fingerprintEngine(
  engine: Engine,
  options: Pick<DockerOptions, "allowPrivileged" | "pidsLimit">,
  wasThere: boolean,
  now: () => bigint,
): Promise<DriverInfo> {
  const away = (reason: string): DriverInfo => ({
    Attributes: {},
    Detected: wasThere,
    Healthy: false,
    HealthDescription: `Failed to connect to docker daemon${reason === "" ? "" : `: ${reason}`}`,
    UpdateTime: now(),
  });
  if (!engine.mayAnswer) return away("");
  try {
    const [info, bridgeIp] = await Promise.all([
      engine.call("read the engine's state", (docker) => docker.info() as Promise<EngineInfo>, lookMs),
      bridgeAddress(engine),
    ]);
    const Attributes: Record<string, string> = {
      "driver.docker": "true",
      "driver.docker.version": info.ServerVersion,
      "driver.docker.os_type": info.OSType,
      "driver.docker.runtimes": Object.keys(info.Runtimes ?? {})
        .sort()
        .join(","),
      ...(options.allowPrivileged ? { "driver.docker.privileged.enabled": "true" } : {}),
      ...(options.pidsLimit > 0 ? { "driver.docker.pids.limit": String(options.pidsLimit) } : {}),
      ...(bridgeIp === "" ? {} : { "driver.docker.bridge_ip": bridgeIp }),
    };
    return { Attributes, Detected: true, Healthy: true, HealthDescription: "Healthy", UpdateTime: now() };
  } catch (error) {
    return away((error as Error).message);
  }
}

/** "" for an engine without its usual network. */
async function bridgeAddress(engine: Engine): Promise<string> {
  try {
    const { IPAM } = await engine.call(
      "inspect network",
      (docker) => docker.getNetwork("bridge").inspect() as Promise<{ IPAM?: EngineIpam }>,
      lookMs,
    );
    return IPAM?.Config?.[0]?.Gateway ?? "";
  } catch {
    return "";
  }
}
