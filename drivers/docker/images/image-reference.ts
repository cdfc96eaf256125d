/** Where an image is looked for when its name does not say it. */
export const defaultRegistry = "docker.io";

/** What a task's `image` means. */
export interface ImageReference {
  /** The registry's name, with its port if it has one; "" for an image that is named by its own id. */
  readonly registry: string;
  /** The name without tag and digest, as it was given. */
  readonly repository: string;
  /** "latest" when neither tag nor digest is given; "" when the digest alone decides. */
  readonly tag: string;
  readonly digest: string;
  /** What the engine knows the image by. */
  readonly name: string;
  /** The same for all ways to write the same image. */
  readonly canonical: string;
}

export class BadReference extends Error {
  override readonly name = "BadReference";
}

const maxNameLength = 255;
const imageId = /^(?:sha256:)?[0-9a-f]{64}$/;
const domainPart = "(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])";
const domain = new RegExp(`^(?:${domainPart}(?:\\.${domainPart})*|\\[[0-9a-fA-F:]+\\])(?::[0-9]+)?$`);
const pathPart = /^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*$/;
const tagForm = /^\w[\w.-]{0,127}$/;
const digestForm = /^[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}$/;

/**
 * Source: the grammar of the OCI distribution's references; "https://" in front is dropped, as the reference does (§6.3).
 *
 * @throws BadReference that says what is wrong.
 */
export function parseImageReference(image: string): ImageReference {
  const given = image.replace(/^https:\/\//, "");
  const bad = (why: string): never => {
    throw new BadReference(`invalid image reference ${JSON.stringify(image)}: ${why}`);
  };
  if (given === "") return bad("it is empty");
  if (imageId.test(given))
    return { registry: "", repository: "", tag: "", digest: "", name: given, canonical: given.replace(/^sha256:/, "") };

  const at = given.indexOf("@");
  const digest = at < 0 ? "" : given.slice(at + 1);
  if (at >= 0 && !digestForm.test(digest)) return bad(`${JSON.stringify(digest)} is no digest`);
  const named = at < 0 ? given : given.slice(0, at);
  const colon = named.indexOf(":", named.lastIndexOf("/") + 1);
  const repository = colon < 0 ? named : named.slice(0, colon);
  const tagGiven = colon < 0 ? "" : named.slice(colon + 1);
  if (colon >= 0 && !tagForm.test(tagGiven)) return bad(`${JSON.stringify(tagGiven)} is no tag`);

  const { registry, path } = splitRepository(repository);
  if (registry !== defaultRegistry && !domain.test(registry)) return bad(`${JSON.stringify(registry)} is no registry`);
  const odd = path.split("/").find((part) => !pathPart.test(part));
  if (odd !== undefined)
    return bad(/[A-Z]/.test(odd) ? "a repository's name is in lower case" : `${JSON.stringify(odd)} is no part of a name`);
  if (repository.length > maxNameLength) return bad(`the name has more than ${maxNameLength} characters`);

  const tag = digest === "" ? tagGiven || "latest" : "";
  const suffix = digest === "" ? `:${tag}` : `@${digest}`;
  return { registry, repository, tag, digest, name: repository + suffix, canonical: `${registry}/${path}${suffix}` };
}

/** The first part is a registry if it looks like a host: "a/b" is of the default one, "a.b/c" and "localhost/c" are not. */
function splitRepository(repository: string): { registry: string; path: string } {
  const slash = repository.indexOf("/");
  const first = repository.slice(0, Math.max(0, slash));
  const isHost = /[.:A-Z]/.test(first) || first === "localhost";
  if (isHost && first !== defaultRegistry && first !== "index.docker.io") return { registry: first, path: repository.slice(slash + 1) };
  const path = isHost ? repository.slice(slash + 1) : repository;
  return { registry: defaultRegistry, path: path.includes("/") ? path : `library/${path}` };
}
