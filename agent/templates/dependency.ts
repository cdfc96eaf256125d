/** Something that a template reads and that may change, or not be there yet. */
export type Dependency =
  | {
      readonly kind: "variable";
      readonly namespace: string;
      readonly path: string;
      /** Whether the template waits until it is there. */
      readonly waits: boolean;
    }
  | {
      readonly kind: "variables";
      readonly namespace: string;
      readonly prefix: string /** Whether the template waits until there is one. */;
      readonly waits: boolean;
    }
  | { readonly kind: "service"; readonly name: string; readonly tag: string; readonly choose: Choice | null }
  | { readonly kind: "services" }
  | { readonly kind: "file"; readonly path: string };

/** Some instances of a service, the same ones for the same key. */
export interface Choice {
  readonly count: number;
  readonly key: string;
}

/** How events and errors name it; one name is one dependency. Source: reference behaviour §3.2, `Template`. */
export function dependencyName(dependency: Dependency, region = "global"): string {
  switch (dependency.kind) {
    case "variable": {
      const place = `${dependency.path}@${dependency.namespace}.${region}`;
      return dependency.waits ? `nomad.var.block(${place})` : `nomad.var.get(${place})`;
    }
    case "variables":
      return `nomad.var.list(${dependency.prefix}@${dependency.namespace}.${region})`;
    case "service": {
      const { name, tag, choose } = dependency;
      return `nomad.service(${tag === "" ? "" : `${tag}.`}${name}${choose ? `:${choose.count}|${choose.key}` : ""})`;
    }
    case "services":
      return "nomad.services";
    case "file":
      return `file(${dependency.path})`;
  }
}
