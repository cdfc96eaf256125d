import fc from "fast-check";
import { cleanedUrl } from "./clean-path.js";

test.each([
  ["/v1/allocation//stop", "/v1/allocation/stop"],
  ["/v1/../v1/allocations?prefix=a", "/v1/allocations?prefix=a"],
  ["//evil.example/..", "/"],
  ["/v1/./jobs", "/v1/jobs"],
  ["/v1/jobs/..", "/v1"],
  ["//", "/"],
  ["/v1//", "/v1/"],
])("%s leads to %s", (url, clean) => {
  expect(cleanedUrl(url)).toBe(clean);
});

test.each(["/", "/v1/allocations", "/v1/job/a%2Fb", "/v1/job/a..b", "/v1/allocations?path=//x/../y"])("%s is clean", (url) => {
  expect(cleanedUrl(url)).toBeUndefined();
});

test("a cleaned path is clean and stays on this host", () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom("/", "..", ".", "a", "?", "b.c")), (parts) => {
      const cleaned = cleanedUrl(`/${parts.join("")}`);
      if (cleaned === undefined) return;
      expect(cleanedUrl(cleaned)).toBeUndefined();
      expect(cleaned).toMatch(/^\/(?!\/)/);
    }),
  );
});
