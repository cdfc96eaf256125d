import { findChecksum, parseChecksum } from "./checksum.js";
import { bucketOf, listUrl, objectUrl, readList, signedHeaders } from "./s3.js";
import { parseSource, showSource } from "./source.js";
import { checkLink, entryNames } from "./tree.js";
import { archiveOf } from "./unpack.js";

test.each([
  ["https://h/a.tgz", "http", "https://h/a.tgz", "", {}],
  ["https://h/a.tgz?x=1&checksum=md5:ab&archive=false", "http", "https://h/a.tgz?x=1", "", { checksum: "md5:ab", archive: "false" }],
  ["https://h/a.tgz//dir/sub?x=1", "http", "https://h/a.tgz?x=1", "dir/sub", {}],
  ["git::https://h/r.git?ref=v1&depth=2", "git", "https://h/r.git", "", { ref: "v1", depth: "2" }],
  ["git::https://h/r.git//sub?ref=v1", "git", "https://h/r.git", "sub", { ref: "v1" }],
  ["git::ssh://git@h/r.git", "git", "ssh://git@h/r.git", "", {}],
  ["git@github.com:o/r.git", "git", "ssh://git@github.com/o/r.git", "", {}],
  ["github.com/o/r", "git", "https://github.com/o/r.git", "", {}],
  ["github.com/o/r//sub?ref=main", "git", "https://github.com/o/r.git", "sub", { ref: "main" }],
  ["s3::https://s3.amazonaws.com/b/k?region=eu-west-1", "s3", "https://s3.amazonaws.com/b/k", "", { region: "eu-west-1" }],
  ["b.s3.amazonaws.com/k", "s3", "https://b.s3.amazonaws.com/k", "", {}],
  ["/srv/file", "file", "file:///srv/file", "", {}],
  ["file:///srv/dir//sub", "file", "file:///srv/dir", "sub", {}],
])("the source %s", (given, getter, url, subdirectory, options) => {
  const source = parseSource(given);
  expect({ ...source, url: source.url.href }).toEqual({ getter, url, subdirectory, options });
});

test("options of the job win over the query, and what is no option is a parameter of the server's", () => {
  const source = parseSource("https://h/a?archive=zip&a=1", { archive: "tar", b: "2" });
  expect([source.url.href, source.options]).toEqual(["https://h/a?a=1&b=2", { archive: "tar" }]);
});

test.each([
  ["hg::https://h/r", /"hg" is not supported, want one of http, https, s3, git, file/],
  ["gcs::https://h/r", /"gcs" is not supported/],
  ["ftp://h/f", /"ftp" is not supported/],
  ["git::ext::sh -c true", /want a URL|not supported|no URL/],
  ["ext::sh -c true", /want a URL|not supported/],
  ["relative/path", /want a URL with a scheme/],
  ["https://h/a.tgz//../x", /leads out of the source/],
  ["https://", /no URL/],
  ["s3::https://h/b/k?aws_profile=x", /aws_profile is not supported/],
])("the source %s is refused", (given, message) => {
  expect(() => parseSource(given)).toThrow(message);
});

test("a source is shown without its password and parameters", () => {
  expect(showSource("git::https://u:secret@h/r.git?sshkey=secret")).toBe("git::https://h/r.git");
});

test.each([
  ["a.tar.gz", undefined, { kind: "tar", compression: "gz" }],
  ["a.tgz", undefined, { kind: "tar", compression: "gz" }],
  ["a.tar.zst", undefined, { kind: "tar", compression: "zst" }],
  ["a.zip", undefined, { kind: "zip" }],
  ["a.gz", undefined, { kind: "single", compression: "gz" }],
  ["a.txt", undefined, null],
  ["tgz", undefined, null],
  ["a.tgz", "false", null],
  ["a.bin", "tar.xz", { kind: "tar", compression: "xz" }],
])("%s with archive=%s", (name, option, archive) => {
  expect(archiveOf(name, option)).toEqual(archive);
});

test("an archive of an unknown kind is refused", () => {
  expect(() => archiveOf("a", "rar")).toThrow(/archive: got "rar", want false or one of tar\.gz/);
});

const md5 = "d41d8cd98f00b204e9800998ecf8427e";

test.each([
  [`md5:${md5}`, { type: "md5", value: md5 }],
  [md5.toUpperCase(), { type: "md5", value: md5 }],
  [`sha256:${"A".repeat(64)}`, { type: "sha256", value: "a".repeat(64) }],
])("the checksum %s", (given, checksum) => {
  expect(parseChecksum(given)).toEqual(checksum);
});

test.each(["md5:ab", "crc:12", "nothing", `sha256:${"g".repeat(64)}`])("the checksum %s is refused", (given) => {
  expect(() => parseChecksum(given)).toThrow(/checksum: /);
});

test.each([
  [`${md5}  a.tgz\n${"0".repeat(32)}  b.tgz\n`, md5],
  [`${"0".repeat(32)} *dir/b.tgz\n${md5} *dir/a.tgz`, md5],
  [`MD5 (a.tgz) = ${md5}`, md5],
  [`${md5}\n`, md5],
])("a checksum is found in a list", (list, value) => {
  expect(findChecksum(list, "a.tgz").value).toBe(value);
});

test("a list without the file has no checksum for it", () => {
  expect(() => findChecksum(`${md5}  b.tgz\n${md5}  c.tgz`, "a.tgz")).toThrow(/the list has none for "a\.tgz"/);
});

test.each([
  ["s3::https://s3.amazonaws.com/b/k/x", { bucket: "b", key: "k/x", region: "us-east-1", isInPath: true }],
  ["s3::https://s3.eu-west-1.amazonaws.com/b/k", { bucket: "b", key: "k", region: "eu-west-1", isInPath: true }],
  ["s3::https://s3-eu-west-1.amazonaws.com/b/k", { bucket: "b", key: "k", region: "eu-west-1", isInPath: true }],
  ["s3::https://my.bucket.s3.amazonaws.com/k/x", { bucket: "my.bucket", key: "k/x", region: "us-east-1", isInPath: false }],
  ["s3::https://b.s3.ap-south-1.amazonaws.com/k", { bucket: "b", key: "k", region: "ap-south-1", isInPath: false }],
  ["s3::https://minio.local:9000/b/k?region=here", { bucket: "b", key: "k", region: "here", isInPath: true }],
])("the object of %s", (given, expected) => {
  expect(bucketOf(parseSource(given))).toMatchObject(expected);
});

test("an object without a key is refused, and half of a credential too", () => {
  expect(() => bucketOf(parseSource("s3::https://h/bucket"))).toThrow(/its bucket and its key/);
  const source = parseSource("s3::https://h/b/k", { aws_access_key_id: "id" });
  expect(() => signedHeaders(source.url, source, "r")).toThrow(/both aws_access_key_id and aws_access_key_secret/);
});

test("the URLs of objects and lists", () => {
  const inPath = bucketOf(parseSource("s3::https://h/b/dir"));
  expect(objectUrl(inPath, "dir/a b+c", "7").href).toBe("https://h/b/dir/a%20b%2Bc?versionId=7");
  expect(listUrl(inPath, "t").href).toBe("https://h/b?list-type=2&prefix=dir%2F&continuation-token=t");
  const inHost = bucketOf(parseSource("s3::https://b.s3.amazonaws.com/dir/"));
  expect(listUrl(inHost, undefined).href).toBe("https://b.s3.amazonaws.com/?list-type=2&prefix=dir%2F");
});

test("a list of objects is read", () => {
  const xml =
    "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>a&amp;b</NextContinuationToken>" +
    "<Contents><Key>d/&lt;x&gt;</Key><Size>1</Size></Contents><Contents><ETag>e</ETag><Key>d/&#x79;</Key></Contents></ListBucketResult>";
  expect(readList(xml)).toEqual({ keys: ["d/<x>", "d/y"], next: "a&b" });
  expect(readList("<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>")).toEqual({ keys: [], next: undefined });
});

test.each(["../x", "a/../../x", "/etc/passwd", "a\0b", "C:\\x", `${"x".repeat(256)}`, "a/".repeat(101)])(
  "the entry %j is refused",
  (name) => {
    expect(() => entryNames(name)).toThrow(/the archive has an entry/);
  },
);

test.each([
  ["a", "b"],
  ["d/a", "../b"],
  ["d/e/a", "../../b/c"],
  ["a", "./b"],
  ["d/a", ".."],
])("the link %s to %s stays within", (name, target) => {
  expect(() => checkLink(name.split("/"), target)).not.toThrow();
});

test.each([
  ["a", "/etc"],
  ["a", ".."],
  ["d/a", "../../x"],
  // What `e` is may be a link itself, so that going up from it leads elsewhere.
  ["d/a", "e/../../x"],
  ["a", "e/.."],
  ["a", ""],
])("the link %s to %j is refused", (name, target) => {
  expect(() => checkLink(name.split("/"), target)).toThrow(/leads out of the artifact/);
});
