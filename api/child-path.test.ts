import { withEncodedChild } from "./child-path.js";

test.each([
  ["/v1/job/web", "/v1/job/web"],
  ["/v1/job/web/periodic/force", "/v1/job/web/periodic/force"],
  ["/v1/job/web/dispatch", "/v1/job/web/dispatch"],
  ["/v1/job/web/periodic-17", "/v1/job/web%2Fperiodic-17"],
  ["/v1/job/web/periodic-17?a=/b", "/v1/job/web%2Fperiodic-17?a=/b"],
  ["/v1/job/web/dispatch-17-0123abcd/allocations?all=true", "/v1/job/web%2Fdispatch-17-0123abcd/allocations?all=true"],
  ["/v1/job/web/dispatch-night-17-0123abcd/summary", "/v1/job/web%2Fdispatch-night-17-0123abcd/summary"],
  ["/v1/job/web%2Fperiodic-17/summary", "/v1/job/web%2Fperiodic-17/summary"],
  ["/v1/job/a/dispatch-1-0123abcd/periodic-17/summary", "/v1/job/a%2Fdispatch-1-0123abcd%2Fperiodic-17/summary"],
  ["/v1/jobs?prefix=web/periodic-17", "/v1/jobs?prefix=web/periodic-17"],
  ["/v1/job/web?x=/periodic-17", "/v1/job/web?x=/periodic-17"],
])("%s is read as %s", (given, read) => expect(withEncodedChild(given)).toBe(read));
