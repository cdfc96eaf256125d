import { EnvFileError, parseEnvFile } from "./env-file.js";

test.each([
  ["A=1\nB = two \n\n# none\n", { A: "1", B: "two" }],
  ["export A=1\nexport=2", { A: "1", export: "2" }],
  ['A="a # b" # comment', { A: "a # b" }],
  ["A=a # comment\nB=a#b", { A: "a", B: "a" }],
  ["A='single \"double\" #' tail", { A: 'single "double" # tail' }],
  ['A="\\u00e9\\n\\t\\"\\\\\\/"', { A: 'é\n\t"\\/' }],
  ['A="\\ud83d\\ude00"', { A: "😀" }],
  ['A=pre"mid"post', { A: "premidpost" }],
  ['A=" kept " ', { A: " kept " }],
  ["A=", { A: "" }],
  ["A=b=c", { A: "b=c" }],
  ["A=größe", { A: "größe" }],
  ["A=1\nA=2", { A: "2" }],
  ["A.b/C_1=x", { "A.b/C_1": "x" }],
])("%j", (content, env) => {
  expect(parseEnvFile(content)).toEqual(env);
});

test.each([
  ["A", /error on line 1: missing =/],
  ["A=1\n1A=2", /error on line 2: got the key "1A"/],
  ["A-B=1", /got the key "A-B"/],
  ["=1", /got the key ""/],
  ['A="open', /unmatched "/],
  ["A='open", /unmatched '/],
  ['A="\\x"', /invalid escape sequence: \\x/],
  ["A=a\u0001b", /a control character/],
])("%j is refused", (content, message) => {
  expect(() => parseEnvFile(content)).toThrow(EnvFileError);
  expect(() => parseEnvFile(content)).toThrow(message);
});
