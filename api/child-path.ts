const child = /^(\/v1\/job\/[^?]*[^?/])\/((?:periodic-\d+|dispatch-[^?/]*-[0-9a-f]{8})(?:[/?]|$))/;

/**
 * The ids of launched jobs have a slash in them, which many clients send as it is.
 *
 * @param url path and query.
 */
export function withEncodedChild(url: string): string {
  const [, parent, rest] = child.exec(url) ?? [];
  if (parent === undefined || rest === undefined) return url;
  const [, head, id] = /^(\/v1\/job\/)(.*)$/.exec(parent) ?? [];
  return `${head}${(id ?? "").replaceAll("/", "%2F")}%2F${rest}${url.slice(parent.length + 1 + rest.length)}`;
}
