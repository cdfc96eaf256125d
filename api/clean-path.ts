/**
 * Where a path with `//`, `.` or `..` segments really leads, as Go's mux redirects it. Source: reference behaviour §1.2.
 *
 * @param url a request target that begins with a slash.
 * @returns undefined when it is clean.
 */
export function cleanedUrl(url: string): string | undefined {
  const mark = url.indexOf("?");
  const path = mark < 0 ? url : url.slice(0, mark);
  if (!/\/(?:\/|\.\.?(?:\/|$))/.test(path)) return undefined;
  const kept: string[] = [];
  for (const segment of path.split("/")) {
    if (segment === "..") kept.pop();
    else if (segment !== "." && segment !== "") kept.push(segment);
  }
  const slash = path.endsWith("/") && kept.length > 0 ? "/" : "";
  return `/${kept.join("/")}${slash}${mark < 0 ? "" : url.slice(mark)}`;
}
