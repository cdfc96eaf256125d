import { readArtifact } from "./artifact-intake.js";
import { InvalidField } from "./invalid-field.js";
import { readTemplate } from "./template-intake.js";
import { SECOND } from "./units.js";

test("a template has the reference's defaults", () => {
  expect(readTemplate({ EmbeddedTmpl: "x", DestPath: "local/x" }, "T")).toEqual({
    SourcePath: "",
    DestPath: "local/x",
    EmbeddedTmpl: "x",
    ChangeMode: "restart",
    ChangeSignal: "",
    ChangeScript: null,
    Splay: 5 * SECOND,
    Perms: "0644",
    Uid: null,
    Gid: null,
    LeftDelim: "{{",
    RightDelim: "}}",
    Envvars: false,
    Wait: null,
    ErrMissingKey: false,
    Once: false,
    VaultGrace: 0,
  });
});

test("what is given is kept, signals by their full name, and the longest wait follows from the shortest", () => {
  const script = { Command: "/bin/true", Args: ["a"], FailOnError: true };
  const given = {
    SourcePath: "s",
    DestPath: "d",
    ChangeMode: "signal",
    ChangeSignal: "hup",
    ChangeScript: script,
    Uid: 7,
    Gid: -1,
    Wait: { Min: 3 },
    Other: 1,
  };
  expect(readTemplate(given, "T")).toMatchObject({
    ChangeSignal: "SIGHUP",
    ChangeScript: { ...script, Timeout: 5 * SECOND },
    Uid: 7,
    Gid: null,
    Wait: { Min: 3, Max: 12 },
    Other: 1,
  });
});

test.each([
  [{}, /T\.EmbeddedTmpl: got nothing, want a template/],
  [{ EmbeddedTmpl: "x", SourcePath: "y" }, /T\.SourcePath/],
  [{ EmbeddedTmpl: "x" }, /T\.DestPath/],
  [{ EmbeddedTmpl: "x", DestPath: "d", ChangeMode: "reload" }, /T\.ChangeMode: got "reload", want one of noop, restart, signal, script/],
  [{ EmbeddedTmpl: "x", DestPath: "d", ChangeMode: "signal" }, /T\.ChangeSignal/],
  [{ EmbeddedTmpl: "x", DestPath: "d", ChangeMode: "signal", ChangeSignal: "9" }, /T\.ChangeSignal: got "9"/],
  [{ EmbeddedTmpl: "x", DestPath: "d", ChangeMode: "script" }, /T\.ChangeScript/],
  [{ EmbeddedTmpl: "x", DestPath: "d", Envvars: true, ChangeMode: "signal", ChangeSignal: "HUP" }, /T\.ChangeMode/],
  [{ EmbeddedTmpl: "x", DestPath: "d", Perms: "rw" }, /T\.Perms: got "rw"/],
  [{ EmbeddedTmpl: "x", DestPath: "d", Uid: -2 }, /T\.Uid/],
  [{ EmbeddedTmpl: "x", DestPath: "d", Wait: { Min: 5, Max: 1 } }, /T\.Wait\.Max/],
  [{ EmbeddedTmpl: "x", DestPath: "d", Splay: -1 }, /T\.Splay/],
  [{ EmbeddedTmpl: "x", DestPath: "d", ChangeScript: {} }, /T\.ChangeScript\.Command/],
])("the template %j is refused", (given, message) => {
  expect(() => readTemplate(given, "T")).toThrow(InvalidField);
  expect(() => readTemplate(given, "T")).toThrow(message);
});

test("an artifact has the reference's defaults", () => {
  expect(readArtifact({ GetterSource: "https://h/f" }, "A")).toEqual({
    GetterSource: "https://h/f",
    GetterOptions: null,
    GetterHeaders: null,
    GetterMode: "any",
    GetterInsecure: false,
    RelativeDest: "local/",
    Chown: false,
  });
});

test.each([
  [{}, /A\.GetterSource/],
  [{ GetterSource: "x", GetterMode: "all" }, /A\.GetterMode: got "all", want one of any, file, dir/],
  [{ GetterSource: "x", RelativeDest: "../../x" }, /A\.RelativeDest/],
  [{ GetterSource: "x", RelativeDest: "a/../../../x" }, /A\.RelativeDest/],
  [{ GetterSource: "x", GetterHeaders: { "a b": "c" } }, /A\.GetterHeaders/],
  [{ GetterSource: "x", GetterHeaders: { a: "b\r\nc: d" } }, /A\.GetterHeaders/],
  [{ GetterSource: "x", GetterOptions: { a: 1 } }, /A\.GetterOptions\["a"\]/],
])("the artifact %j is refused", (given, message) => {
  expect(() => readArtifact(given, "A")).toThrow(InvalidField);
  expect(() => readArtifact(given, "A")).toThrow(message);
});

test("the shared directory of the group is a destination", () => {
  expect(readArtifact({ GetterSource: "x", RelativeDest: "../alloc/data" }, "A").RelativeDest).toBe("../alloc/data");
});
