import { isRecoverable } from "./pull-failure.js";

// Texts as engines and registries give them.
test.each([
  [
    404,
    "pull access denied for nosuch, repository does not exist or may require 'docker login': denied: requested access to the resource is denied",
  ],
  [404, "manifest for redis:nosuch not found: manifest unknown: manifest unknown"],
  [400, "invalid reference format"],
  [500, "unauthorized: authentication required"],
  [500, "Get http://127.0.0.1:5000/v2/x/manifests/1: no basic auth credentials"],
  [500, "Head https://reg.io/v2/x/manifests/1: unauthorized: incorrect username or password"],
  [500, "denied: requested access to the resource is denied"],
  [0, "no matching manifest for linux/amd64 in the manifest list entries"],
])("status %i, %s: trying again does not help", (status, message) => {
  expect(isRecoverable(status, message)).toBe(false);
});

test.each([
  [500, "Get http://127.0.0.1:9/v2/: dial tcp 127.0.0.1:9: connect: connection refused"],
  [500, "Get https://reg.io/v2/: net/http: request canceled while waiting for connection (Client.Timeout exceeded while awaiting headers)"],
  [500, "Get https://reg.io/v2/: dial tcp: lookup reg.io on 10.0.0.1:53: no such host"],
  [500, "received unexpected HTTP status: 503 Service Unavailable"],
  [429, "toomanyrequests: You have reached your pull rate limit. You may increase the limit by authenticating: access denied"],
  [0, "write /var/lib/docker/tmp/x: no space left on device"],
  [0, "unexpected EOF"],
  [0, "connect ECONNREFUSED /var/run/docker.sock"],
  [500, "error parsing HTTP 404 response body: context deadline exceeded"],
])("status %i, %s: trying again may help", (status, message) => {
  expect(isRecoverable(status, message)).toBe(true);
});
