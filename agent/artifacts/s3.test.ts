import { tarOf } from "./testing/archives.js";
import { FetchScene } from "./testing/fetch-scene.js";

let scene: FetchScene;

beforeEach(() => {
  scene = new FetchScene();
});

afterEach(() => scene.close());

describe("s3", () => {
  const options = { aws_access_key_id: "AKID", aws_access_key_secret: "SECRET", region: "eu-west-1" };

  test("an object, signed", async () => {
    const seen: (string | undefined)[] = [];
    const url = await scene.serve((request, response) => {
      seen.push(request.url, request.headers.authorization);
      response.end("object");
    });
    await scene.fetch(`s3::${url}/bucket/dir/a b.txt`, { GetterOptions: options });
    expect(scene.content("a b.txt")).toBe("object");
    expect(seen[0]).toBe("/bucket/dir/a%20b.txt");
    expect(seen[1]).toMatch(
      /^AWS4-HMAC-SHA256 Credential=AKID\/\d{8}\/eu-west-1\/s3\/aws4_request, SignedHeaders=[\w;-]+, Signature=[0-9a-f]{64}$/,
    );
  });

  test("all objects below a prefix, page by page", async () => {
    const url = await scene.serve((request, response) => {
      const { pathname, searchParams } = new URL(request.url ?? "", "http://h");
      if (!searchParams.has("list-type")) {
        if (pathname === "/bucket/dir") response.writeHead(404).end();
        else response.end(`of ${pathname}`);
      } else if (searchParams.get("continuation-token") === null) {
        response.end(
          "<R><IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken><Contents><Key>dir/a</Key></Contents></R>",
        );
      } else response.end("<R><Contents><Key>dir/sub/b</Key></Contents><Contents><Key>dir/sub/</Key></Contents></R>");
    });
    await scene.fetch(`s3::${url}/bucket/dir`);
    expect([scene.content("a"), scene.content("sub/b")]).toEqual(["of /bucket/dir/a", "of /bucket/dir/sub/b"]);
  });

  test("a key that leads out is refused", async () => {
    const url = await scene.serve((request, response) =>
      response.end(request.url?.includes("list-type") ? "<R><Contents><Key>dir/../../evil</Key></Contents></R>" : "x"),
    );
    await expect(scene.fetch(`s3::${url}/bucket/dir/`)).rejects.toThrow(/leads out of it/);
  });

  test("an archive is unpacked", async () => {
    const url = await scene.serveBytes(tarOf([{ name: "f", content: "x" }]));
    await scene.fetch(`s3::${url}/bucket/a.tar`);
    expect(scene.content("f")).toBe("x");
  });
});
