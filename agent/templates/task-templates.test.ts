import { mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { basicTaskHooks } from "../allocs/hooks/task-hooks.js";
import { TemplateHook } from "../allocs/hooks/template.js";
import { settle } from "../allocs/testing/fake-clock.js";
import { aTask, restarts } from "../allocs/testing/fixtures.js";
import { Rig } from "../allocs/testing/rig.js";
import type { RestartPolicy } from "../model/job.js";
import type { Template } from "../model/template.js";
import { readTemplate } from "../model/template-intake.js";
import { memoryKeyring } from "../vars/testing/memory-keyring.js";
import { Variables } from "../vars/variables.js";
import type { CatalogService, ServiceCatalog } from "./service-catalog.js";

class Catalog implements ServiceCatalog {
  instances: CatalogService[] = [];
  readonly #listeners = new Set<() => void>();
  services: ServiceCatalog["services"] = () => this.instances.map(({ Name, Tags }) => ({ Name, Tags }));
  service: ServiceCatalog["service"] = (_namespace, name) => this.instances.filter(({ Name }) => Name === name);
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
  get listeners(): number {
    return this.#listeners.size;
  }
  change(...instances: CatalogService[]): void {
    this.instances = instances;
    for (const listener of this.#listeners) listener();
  }
}

const instance = (Port: number, Tags: readonly string[] = []): CatalogService => ({
  ID: `id-${Port}`,
  Name: "web",
  Address: "10.0.0.1",
  Port,
  Tags,
  AllocID: "a",
  JobID: "j",
  NodeID: "n",
  Datacenter: "dc1",
  Namespace: "default",
});

let rig: Rig;
let catalog: Catalog;
let variables: Variables;

beforeEach(async () => {
  catalog = new Catalog();
  rig = new Rig(() => [
    ...basicTaskHooks().slice(0, 1),
    new TemplateHook({
      sources: { variables, services: catalog, watch: rig.store.watch },
      options: {
        disableFileSandbox: false,
        functionDenylist: [],
        limits: { steps: 10_000, bytes: 100_000 },
        waitMinMs: 5_000,
        waitMaxMs: 20_000,
        region: "global",
      },
      random: () => 0,
    }),
    ...basicTaskHooks().slice(1),
  ]);
  variables = new Variables({ store: rig.store, keyring: memoryKeyring(), options: { maxVariables: 10 } });
  await rig.supervisor.start();
});

afterEach(() => rig.close());

const template = (EmbeddedTmpl: string, more: Partial<Template> = {}): Template =>
  readTemplate({ EmbeddedTmpl, DestPath: "local/out", Splay: 0, ...more }, "T");

const run = (templates: readonly Template[], policy?: RestartPolicy): Promise<string> =>
  rig.run([aTask("t", { Templates: templates, ...(policy ? { RestartPolicy: policy } : {}) })], { type: "service" });

const path = (id: string, name = "local/out"): string => join(rig.dataDir, "alloc", id, "t", name);
const content = (id: string, name?: string): string => readFileSync(path(id, name), "utf8");
const put = (items: Readonly<Record<string, string>>, at = "nomad/jobs/j") => variables.write({ namespace: "default", path: at }, items);
const started = (): number => rig.driver.of("t").length;
const untilStarted = (count = 1): Promise<void> => rig.until(`start ${count}`, () => started() === count);
const secret = '{{ with nomadVar "nomad/jobs/j" }}{{ .pw }}{{ end }}';

test("a template is rendered before the task starts, with its rights and what it knows of the task", async () => {
  const id = await run([template('{{ env "NOMAD_TASK_NAME" }}:{{ env "PATH" }}', { Perms: "640" })]);
  await untilStarted();
  expect([content(id), statSync(path(id)).mode & 0o777]).toEqual(["t:", 0o640]);
});

test("what a template makes with Envvars are variables of the task", async () => {
  await run([template("A=one\nB='two'", { Envvars: true, ChangeMode: "noop", DestPath: "secrets/e" })]);
  await untilStarted();
  expect(rig.driver.last("t").spec.env).toMatchObject({ A: "one", B: "two" });
});

test.each([
  ["an unsupported function", '\n{{ key "a" }}', "Failed Validation", /^Templates\[0\]: template: :2: function "key" is not supported/],
  ["a syntax that is none", "{{ if }}", "Failed Validation", /missing value for if/],
  [
    "an error of a function",
    '{{ mustEnv "NONE" }}',
    "Killing",
    /^Template failed: template: .*required environment variable NONE is empty/,
  ],
  [
    "a variable of others",
    '{{ nomadVar "other" }}',
    "Killing",
    /^Template failed: .*nomad\.var\.block\(other@default\.global\): Permission denied/,
  ],
  ["endless work", "{{ range loop 1000000 }}{{ end }}", "Killing", /^Template failed: the template takes more than 10000 steps/],
])("%s fails the task", async (_what, text, type, message) => {
  const id = await run([template(text)]);
  await rig.until("the end", () => rig.task(id, "t").State === "dead");
  expect(rig.event(id, "t", type).DisplayMessage).toMatch(message);
  expect([rig.task(id, "t").Failed, started()]).toEqual([true, 0]);
});

test("lines of variables that are none fail the task", async () => {
  const id = await run([template("nonsense", { Envvars: true, ChangeMode: "noop" })]);
  await rig.until("the end", () => rig.task(id, "t").State === "dead");
  expect(rig.event(id, "t", "Killing").DisplayMessage).toBe("Template failed to read environment variables: error on line 1: missing =");
});

test("a task waits for a variable, and says so", async () => {
  const id = await run([template(secret), template('{{ with nomadVar "nomad/jobs" }}{{ .x }}{{ end }}', { DestPath: "local/two" })]);
  await settle();
  await rig.until("the wait", () => rig.clock.sleeping > 0);
  await rig.clock.advance(3_000);
  expect(rig.event(id, "t", "Template").DisplayMessage).toBe(
    "Missing: nomad.var.block(nomad/jobs/j@default.global), nomad.var.block(nomad/jobs@default.global)",
  );
  await put({ pw: "one" });
  await put({ x: "y" }, "nomad/jobs");
  await untilStarted();
  expect([content(id), content(id, "local/two")]).toEqual(["one", "y"]);
});

test("a task that waits can be stopped", async () => {
  const id = await run([template(secret)]);
  await settle();
  await rig.stop(id);
  await rig.until("the end", () => rig.task(id, "t").State === "dead");
  expect([started(), rig.task(id, "t").Failed, catalog.listeners]).toEqual([0, false, 0]);
});

describe("after a change", () => {
  const change = async (): Promise<void> => {
    await put({ pw: "two" });
    await settle();
    await rig.clock.advance(5_000);
  };

  test("restart restarts the task, which no policy counts, and gives it the new variables", async () => {
    await put({ pw: "one" });
    const id = await run([template(`PW=${secret}`, { Envvars: true })]);
    await untilStarted();
    await change();
    await untilStarted(2);
    expect([content(id), rig.driver.last("t").spec.env.PW]).toEqual(["PW=two", "two"]);
    expect(rig.event(id, "t", "Restart Signaled").DisplayMessage).toBe("Template with change_mode restart re-rendered");
    expect(rig.event(id, "t", "Restarting").DisplayMessage).toBe("Task restarting in 0s");
  });

  test("signal signals the task, once for the templates of one signal", async () => {
    await put({ pw: "one" });
    const reload = { ChangeMode: "signal", ChangeSignal: "SIGHUP" } as const;
    const id = await run([template(secret, reload), template(`${secret}!`, { ...reload, DestPath: "local/two" })]);
    await untilStarted();
    await change();
    await rig.until("the signal", () => rig.types(id, "t").includes("Signaling"));
    expect([rig.driver.last("t").signals, content(id), content(id, "local/two"), started()]).toEqual([["SIGHUP"], "two", "two!", 1]);
    expect(rig.event(id, "t", "Signaling")).toMatchObject({ DisplayMessage: "Template re-rendered", Details: { task_signal: "hangup" } });
  });

  test("noop writes the file and leaves the task alone", async () => {
    await put({ pw: "one" });
    const id = await run([template(secret, { ChangeMode: "noop" })]);
    await untilStarted();
    await change();
    await rig.until("the file", () => content(id) === "two");
    expect([started(), rig.driver.last("t").signals]).toEqual([1, []]);
  });

  test("a script that can not be run is told, and kills the task only when it says so", async () => {
    await put({ pw: "one" });
    const script = { Command: "/bin/reload", Args: ["${NOMAD_TASK_NAME}"], Timeout: 1, FailOnError: false };
    const id = await run([template(secret, { ChangeMode: "script", ChangeScript: script })]);
    await untilStarted();
    await change();
    await rig.until("the event", () => rig.types(id, "t").includes("Task hook failed"));
    expect(rig.event(id, "t", "Task hook failed").DisplayMessage).toBe(
      "template: Template failed to run script /bin/reload with arguments [t] on change: not in this test. Exit code: -1",
    );
    expect(rig.task(id, "t").State).toBe("running");
  });

  test("with FailOnError the task ends as failed", async () => {
    await put({ pw: "one" });
    const script = { Command: "/bin/reload", Args: null, Timeout: 1, FailOnError: true };
    const id = await run([template(secret, { ChangeMode: "script", ChangeScript: script })]);
    await untilStarted();
    await change();
    await rig.until("the end", () => rig.task(id, "t").State === "dead");
    expect(rig.event(id, "t", "Killing").DisplayMessage).toBe("Template script failed, task is being killed");
    expect(rig.task(id, "t").Failed).toBe(true);
  });

  test("once is once", async () => {
    await put({ pw: "one" });
    const id = await run([template(secret, { Once: true })]);
    await untilStarted();
    await change();
    expect([content(id), started()]).toEqual(["one", 1]);
  });

  test("the same content is no change", async () => {
    await put({ pw: "one", other: "a" });
    const id = await run([template(secret)]);
    await untilStarted();
    await put({ pw: "one", other: "b" });
    await settle();
    await rig.clock.advance(10_000);
    expect([content(id), started()]).toEqual(["one", 1]);
  });

  test("what is gone leaves the file as it is", async () => {
    await put({ pw: "one" });
    const id = await run([template(secret)]);
    await untilStarted();
    await variables.delete({ namespace: "default", path: "nomad/jobs/j" });
    await settle();
    await rig.clock.advance(10_000);
    expect([content(id), rig.task(id, "t").State]).toEqual(["one", "running"]);
  });

  test("an error then ends the task as failed", async () => {
    await put({ n: "1" });
    const id = await run([template('{{ with nomadVar "nomad/jobs/j" }}{{ parseInt .n.Value }}{{ end }}')]);
    await untilStarted();
    await put({ n: "hidden" });
    await settle();
    await rig.clock.advance(5_000);
    await rig.until("the end", () => rig.task(id, "t").State === "dead");
    expect(rig.event(id, "t", "Killing").DisplayMessage).toMatch(/^Template failed: .*parsing "\[redacted\]": invalid syntax/);
  });

  test("many changes are one, put off no longer than the longest wait", async () => {
    await put({ pw: "0" });
    const id = await run([template(secret, { ChangeMode: "signal", ChangeSignal: "SIGHUP" })]);
    await untilStarted();
    for (let second = 1; second <= 7; second++) {
      await put({ pw: String(second) });
      await settle();
      await rig.clock.advance(3_000);
    }
    await rig.until("the signal", () => rig.driver.last("t").signals.length > 0);
    expect(rig.driver.last("t").signals).toEqual(["SIGHUP"]);
    expect(Number(content(id))).toBeGreaterThan(5);
  });
});

test("services are ranged over and followed", async () => {
  catalog.instances = [instance(1, ["a"]), instance(2)];
  const text =
    '{{ range nomadService "web" }}{{ .Address }}:{{ .Port }}{{ range .Tags }}[{{ . }}]{{ end }} {{ end }}{{ range nomadService "a.web" }}{{ .Port }}{{ end }}{{ range nomadServices }}<{{ .Name }}>{{ end }}';
  const id = await run([template(text, { ChangeMode: "noop" })]);
  await untilStarted();
  expect(content(id)).toBe("10.0.0.1:1[a] 10.0.0.1:2 1<web><web>");
  catalog.change(instance(3));
  await settle();
  await rig.clock.advance(5_000);
  await rig.until("the file", () => content(id) === "10.0.0.1:3 <web>");
});

test("a choice of instances is the same for the same key, and of the size that was asked for", async () => {
  catalog.instances = [1, 2, 3, 4, 5].map((port) => instance(port));
  const pick = '{{ range nomadService 2 "key" "web" }}{{ .Port }},{{ end }}';
  const id = await run([template(`${pick}|${pick}`)]);
  await untilStarted();
  const [first, second] = content(id).split("|");
  expect([first === second, first?.split(",").length]).toEqual([true, 3]);
});

test("variables can be looked for and listed as far as the task may read them", async () => {
  await put({ x: "1" });
  await put({ x: "1" }, "nomad/jobs/j/g/t");
  await put({ x: "1" }, "secret/of/others");
  const id = await run([
    template(
      '{{ range nomadVarList }}{{ .Path }},{{ end }}{{ range nomadVarList "nomad/jobs/j/g" }}{{ . }},{{ end }}{{ nomadVarExists "nomad/jobs/j/g" }} {{ nomadVarExists "nomad/jobs/j" }}',
    ),
  ]);
  await untilStarted();
  expect(content(id)).toBe("nomad/jobs/j,nomad/jobs/j/g/t,nomad/jobs/j/g/t,false true");
});

test("the items of a variable have the reference's methods, and are encoded as texts", async () => {
  await put({ b: "2", a: "1" });
  const id = await run([
    template(
      '{{ with nomadVar "nomad/jobs/j" }}{{ .Keys }}{{ .Values }}{{ range .Tuples }}{{ .K }}={{ .V }};{{ end }}{{ .a.Key }}{{ .Metadata.Path }}{{ .Parent.Namespace }}{{ .none }}{{ . | toJSON }}{{ .ItemsMap }}{{ end }}',
    ),
  ]);
  await untilStarted();
  expect(content(id)).toBe('[a b][1 2]a=1;b=2;anomad/jobs/jdefault{"a":"1","b":"2"}map[a:1 b:2]');
});

test("a file of the task's is read, waited for and followed; another one is refused", async () => {
  const id = await run([template('{{ file "local/in" }}', { ChangeMode: "noop" })]);
  await rig.until("the wait", () => rig.clock.sleeping > 0);
  writeFileSync(path(id, "local/in"), "first");
  await rig.until("the start", () => {
    void rig.clock.advance(5_000);
    return started() === 1;
  });
  expect(content(id)).toBe("first");
  writeFileSync(path(id, "local/in"), "second");
  await rig.until("the file", () => {
    void rig.clock.advance(5_000);
    return content(id) === "second";
  });
  const other = await run([template('{{ file "/etc/passwd" }}')]);
  await rig.until("the end", () => rig.task(other, "t").State === "dead");
  expect(rig.event(other, "t", "Killing").DisplayMessage).toMatch(/'\/etc\/passwd' is outside of sandbox/);
});

test.each(["../other/x", "../../x", "../alloc/logs/x", "private/x", "local/", "."])("the destination %s is refused", async (DestPath) => {
  const id = await run([template("x", { DestPath })]);
  await rig.until("the end", () => rig.task(id, "t").State === "dead");
  expect(rig.event(id, "t", "Task hook failed").DisplayMessage).toMatch(/^template: template destination/);
});

test("a link in the place of a directory of the task's leads nowhere", async () => {
  const outside = join(rig.dataDir, "outside");
  mkdirSync(outside);
  const id = await run([template(secret, { DestPath: "local/d/f" })]);
  await rig.until("the directory", () => statSync(path(id, "local"), { throwIfNoEntry: false }) !== undefined);
  symlinkSync(outside, path(id, "local/d"));
  await put({ pw: "x" });
  await rig.until("the end", () => rig.task(id, "t").State === "dead");
  expect(statSync(join(outside, "f"), { throwIfNoEntry: false })).toBeUndefined();
});

test("a template may come from a file of the task's, which has to be there", async () => {
  const id = await run([readTemplate({ SourcePath: "local/none", DestPath: "local/out" }, "T")]);
  await rig.until("the end", () => rig.task(id, "t").State === "dead");
  expect(rig.event(id, "t", "Task hook failed").DisplayMessage).toMatch(/template source local\/none: .*no such file/);
  const outside = await run([readTemplate({ SourcePath: "/etc/passwd", DestPath: "local/out" }, "T")]);
  await rig.until("the end", () => rig.task(outside, "t").State === "dead");
  expect(rig.event(outside, "t", "Task hook failed").DisplayMessage).toMatch(/template source path escapes alloc directory/);
});

test("a restart renders again only when the policy says so", async () => {
  for (const RenderTemplates of [false, true]) {
    const id = await run([template("original")], restarts(3, { RenderTemplates, Delay: 0 }));
    const runs = started();
    await rig.until("a start", () => rig.driver.of("t").some((one) => one.spec.allocId === id));
    writeFileSync(path(id), "changed by the task");
    await rig.exit("t", 1);
    await rig.until("the next start", () => started() > runs + (runs === started() ? 0 : 1));
    await rig.until("the run", () => rig.task(id, "t").State === "running");
    expect(content(id)).toBe(RenderTemplates ? "original" : "changed by the task");
  }
});

test("a change that came while no agent was there is made up for, and nothing is done for what has not changed", async () => {
  await put({ pw: "one" });
  const reload = { ChangeMode: "signal", ChangeSignal: "SIGHUP" } as const;
  const id = await run([template(secret, reload)]);
  await untilStarted();
  await rig.replaceAgent();
  await settle();
  expect(rig.driver.last("t").signals).toEqual([]);
  await rig.replaceAgent(async () => {
    await put({ pw: "two" });
  });
  await rig.until("the signal", () => rig.driver.last("t").signals.length === 1);
  expect([content(id), started()]).toEqual(["two", 1]);
});

test("a task that has ended is followed no more", async () => {
  await put({ pw: "one" });
  const id = await run([template(secret)]);
  await untilStarted();
  expect(catalog.listeners).toBe(1);
  await rig.stop(id);
  await rig.until("the end", () => rig.task(id, "t").State === "dead");
  expect([catalog.listeners, rig.clock.sleeping]).toEqual([0, 0]);
  rmSync(path(id));
  await put({ pw: "two" });
  await rig.clock.advance(10_000);
  expect(statSync(path(id), { throwIfNoEntry: false })).toBeUndefined();
});
