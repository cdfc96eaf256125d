import type { Readable } from "node:stream";
import type Docker from "dockerode";
import type { Logger } from "pino";
import type { AllocNetworkStatus } from "../../../agent/model/allocation.js";
import { DriverError, type GroupNetworkSpec, type GroupNetworks } from "../../driver.js";
import { holderName, labelNames } from "../container/names.js";
import { inside, publish } from "../container/ports.js";
import type { Engine } from "../engine/engine.js";
import { EngineError, isGone } from "../engine/engine-error.js";
import { inspect } from "../exit-watch.js";
import type { ImageStore } from "../images/image-store.js";
import type { DockerOptions } from "../options.js";
import { pauseArchive, pauseCommand, pauseImage } from "./pause-image.js";

export interface GroupNetworksDeps {
  readonly engine: Engine;
  readonly options: Pick<DockerOptions, "infraImage" | "infraImagePullTimeoutMs">;
  readonly images: ImageStore;
  readonly nodeId: () => string;
  /** Waits for an engine that is away, for a while. */
  readonly patiently: <T>(signal: AbortSignal, work: () => Promise<T>) => Promise<T>;
  readonly log: Logger;
}

/** Networks of groups: each is that of a container that does nothing else, which the tasks' containers join. Source: reference behaviour §6.3. */
export class DockerGroupNetworks implements GroupNetworks {
  readonly #deps: GroupNetworksDeps;
  /** What was made, to make it again after the engine has lost it. */
  readonly #known = new Map<string, GroupNetworkSpec>();

  constructor(deps: GroupNetworksDeps) {
    this.#deps = deps;
  }

  create(spec: GroupNetworkSpec): Promise<AllocNetworkStatus> {
    this.#known.set(spec.allocId, spec);
    return this.#deps.patiently(spec.signal, () => this.#ensure(spec));
  }

  /** Brings back what holds the network, if it has ended: a task can not join it otherwise. */
  async revive(allocId: string): Promise<void> {
    const spec = this.#known.get(allocId);
    if (spec) await this.#ensure(spec);
  }

  async remove(allocId: string): Promise<void> {
    const { engine } = this.#deps;
    this.#known.delete(allocId);
    try {
      await engine.call("remove container", (docker, abortSignal) =>
        docker.getContainer(holderName(allocId)).remove({ force: true, v: true, abortSignal }),
      );
    } catch (error) {
      if (!isGone(error)) throw error;
    }
    if (this.#deps.options.infraImage !== "") this.#deps.images.release(holderName(allocId));
  }

  async #ensure(spec: GroupNetworkSpec): Promise<AllocNetworkStatus> {
    const { engine } = this.#deps;
    const name = holderName(spec.allocId);
    let found = await this.#find(name);
    if (found && found.Config.Labels[labelNames.alloc] !== spec.allocId)
      throw new DriverError(`container ${name} is there, and not ours`, true);
    if (!found) {
      await this.#create(name, spec);
      found = await this.#find(name);
    }
    if (found && !found.State.Running) {
      const { Id } = found;
      await engine.call("start container", (docker, abortSignal) => docker.getContainer(Id).start({ abortSignal }));
      found = await this.#find(name);
    }
    const [address] = Object.values(found?.NetworkSettings.Networks ?? {});
    return {
      InterfaceName: "eth0",
      Address: address?.IPAddress ?? "",
      AddressIPv6: address?.GlobalIPv6Address ?? "",
      DNS: spec.network.DNS ?? null,
    };
  }

  async #find(name: string): Promise<Docker.ContainerInspectInfo | undefined> {
    try {
      return await inspect(this.#deps.engine, name);
    } catch (error) {
      if (isGone(error)) return undefined;
      throw error;
    }
  }

  async #create(name: string, { allocId, network, ports, signal }: GroupNetworkSpec): Promise<void> {
    const { engine, nodeId, options } = this.#deps;
    const dns = dnsOf(network.DNS);
    const { ExposedPorts, PortBindings } = publish(
      ports.map((port) => ({ hostIp: port.HostIP, hostPort: port.Value, containerPort: inside(port) })),
    );
    const hostname = typeof network.Hostname === "string" ? network.Hostname : "";
    const image = await this.#image(name, signal);
    await engine.call("create container", (docker, abortSignal) =>
      docker.createContainer({
        name,
        Image: image,
        ...(options.infraImage === "" ? { Cmd: [pauseCommand] } : {}),
        Labels: { [labelNames.alloc]: allocId, [labelNames.node]: nodeId() },
        ...(hostname === "" ? {} : { Hostname: hostname }),
        ExposedPorts,
        HostConfig: {
          NetworkMode: "default",
          PortBindings,
          Dns: dns("Servers"),
          DnsSearch: dns("Searches"),
          DnsOptions: dns("Options"),
          LogConfig: { Type: "none", Config: {} },
        },
        abortSignal,
      }),
    );
  }

  async #image(owner: string, signal: AbortSignal): Promise<string> {
    const { engine, images, options } = this.#deps;
    if (options.infraImage !== "") {
      const request = { image: options.infraImage, forcePull: false, pullTimeoutMs: options.infraImagePullTimeoutMs, owner };
      await images.ensure(request, () => {}, signal);
      return options.infraImage;
    }
    try {
      await engine.call("inspect image", (docker) => docker.getImage(pauseImage).inspect());
    } catch (error) {
      if (!isGone(error)) throw error;
      await this.#importImage();
    }
    return pauseImage;
  }

  async #importImage(): Promise<void> {
    const [repo, tag] = pauseImage.split(":");
    const archive = pauseArchive(process.arch);
    const answer = await this.#deps.engine.call("import image", async (docker) => {
      // The types know files and streams only, the client takes bytes too.
      const stream = await docker.importImage(archive as unknown as string, { repo, tag });
      let text = "";
      for await (const chunk of stream as Readable) text += String(chunk);
      return text;
    });
    if (/"error"/.test(answer)) throw new EngineError("failed", answer, `import image ${pauseImage}: ${answer}`);
  }
}

/** The members of a network's DNS block that are lists of texts. */
function dnsOf(block: unknown): (name: string) => string[] {
  const members: Readonly<Record<string, unknown>> = typeof block === "object" && block !== null ? { ...block } : {};
  return (name) => (Array.isArray(members[name]) ? members[name].filter((item): item is string => typeof item === "string") : []);
}
