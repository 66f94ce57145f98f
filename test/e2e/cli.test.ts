import { afterAll, describe, expect, test } from "vitest";
import { bindings, flagOf } from "../../src/monitor/config/bindings.ts";
import { runHelius } from "./kit/process.ts";
import { createWorld } from "./kit/world.ts";

// One folder for all: the tests run at once, each with files of its own.
const world = createWorld();
afterAll(() => world.end());

const run = (args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
  runHelius({ args, env, cwd: world.dir });

const target = (name: string, port: number) => `  - name: ${name}\n    url: http://127.0.0.1:${port}\n`;
const GOOD = `cycle_interval_seconds: 5\ntargets:\n${target("shop", 1)}`;

/** Files that are wrong: text, the place that must be named, and what must be said there. */
const BAD: readonly { title: string; text: string; at: string; says: RegExp }[] = [
  { title: "a tab", text: "predict:\n\thorizon_seconds: 60\n", at: "2:1", says: /[Tt]ab/ },
  {
    title: "an unknown key",
    text: "predict:\n  horizn_seconds: 60\n",
    at: "2:3",
    says: /predict\.horizn_seconds is not a known key/,
  },
  {
    title: "a negative number",
    text: "cycle_interval_seconds: -5\n",
    at: "1:1",
    says: /cycle_interval_seconds must be .* from 1 up to 3600 \(seconds\)/,
  },
  {
    title: "text for a number",
    text: "predict:\n  min_r2: much\n",
    at: "2:3",
    says: /predict\.min_r2 must be a number/,
  },
  {
    title: "two targets of one name",
    text: `targets:\n${target("a", 1)}${target("a", 2)}`,
    at: "4:5",
    says: /targets\[1\]\.name "a" is already the name of target 1/,
  },
  {
    title: "no target",
    text: "auto_heal: true\ntargets: []\n",
    at: "2:1",
    says: /targets must list at least one target/,
  },
  {
    title: "a target without a URL",
    text: "targets:\n  - name: a\n",
    at: "2:5",
    says: /targets\[0\] must have either url/,
  },
  { title: "a key given twice", text: "auto_heal: true\nauto_heal: false\n", at: "2:1", says: /unique/ },
  {
    title: "thresholds out of order",
    text: "signals:\n  p95_latency: { slo: 600, limit: 500 }\n",
    at: "2:18",
    says: /below the hard limit: slo 600, limit 500/,
  },
];

function expectProblem(
  { code, stdout, stderr }: Awaited<ReturnType<typeof run>>,
  { file, at, says }: { file: string; at: string; says: RegExp },
): void {
  expect(code).toBe(1);
  expect(stdout).toBe("");
  const lines = stderr.trimEnd().split("\n");
  expect(lines.find((line) => line.startsWith(`${file}:${at}: `))).toMatch(says);
  // Nothing but such lines: no stack, nothing for programmers.
  expect(lines.every((line) => line.startsWith(`${file}:`))).toBe(true);
}

describe.concurrent("configuration files", () => {
  test.each(BAD)(
    "$title: file, line and column, what is wrong, exit 1",
    async ({ title, text, at, says }) => {
      const file = world.file(`${title}.yml`, text);
      expectProblem(await run(["check-config", file]), { file, at, says });
    },
  );

  test("the monitor refuses to start on one, with the same words", async () => {
    const [bad] = BAD;
    if (bad === undefined) throw new Error("there is no bad file");
    const file = world.file("refused.yml", bad.text);
    expectProblem(await run(["monitor", `--config.file=${file}`]), { file, ...bad });
  });

  test("a good file: a summary with every threshold, exit 0", async () => {
    const actions = `actions:
  kubernetes: { kubeconfig: /etc/kube, context: live }
  http: [{ name: drain, url: "http://lb/{{region}}" }]`;
    const file = world.file("good.yml", `${GOOD}\n${actions}\n`);
    const { code, stdout, stderr } = await run(["check-config", file]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain("good.yml: valid");
    expect(stdout).toContain("cycle 5 s, horizon 180 s, acting");
    expect(stdout).toMatch(/target shop .*http:\/\/127\.0\.0\.1:1/);
    expect(stdout).toMatch(/p95_latency +exit 270 {2}slo 300 {2}limit 5000 {2}ms/);
    expect(stdout).toContain(
      "\nkubernetes: /etc/kube, context live\nhttp drain: POST http://lb/{{region}}\n",
    );
  });

  test("a file that is not there, and a folder: named, exit 1", async () => {
    const missing = `${world.dir}/nothing.yml`;
    expect(await run(["check-config", missing])).toEqual({
      code: 1,
      stdout: "",
      stderr: `${missing}: no such file\n`,
    });
    expect(await run(["check-config", world.dir])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("is a folder"),
    });
  });

  test("the files that are shipped are valid", async () => {
    for (const name of ["helius.yml", "up.yml"]) {
      const file = new URL(`../../config/${name}`, import.meta.url).pathname;
      expect(await run(["check-config", file])).toMatchObject({ code: 0, stderr: "" });
    }
  });
});

describe.concurrent("the command line", () => {
  test.each([
    { args: ["monitor", "--no-such-flag"], says: "unknown flag --no-such-flag" },
    { args: ["up", "--no-such-flag=1"], says: "unknown flag --no-such-flag" },
    { args: ["service", "product-api", "--no-such-flag"], says: "unknown flag --no-such-flag" },
    { args: ["check-config", "--no-such-flag"], says: "unknown flag --no-such-flag" },
    { args: ["frobnicate"], says: 'unknown command "frobnicate"' },
    { args: ["service", "no-such-service"], says: "product-api" },
    { args: ["service"], says: "name a service" },
    { args: ["check-config"], says: "name the file" },
    { args: ["monitor", "stray"], says: 'unexpected argument "stray"' },
    { args: ["monitor", "--log.level=info", "--log.level=warn"], says: "--log.level" },
    { args: [], says: "" },
  ])("$args: exit 2 and what would be right", async ({ args, says }) => {
    const { code, stderr } = await run(args);
    expect(code).toBe(2);
    expect(stderr).toContain(says);
    expect(stderr).not.toMatch(/\n\s+at /);
  });

  test("a flag's bad value names the flag, a variable's the variable; exit 1", async () => {
    const file = world.file("values.yml", GOOD);
    const flag = await run(["monitor", `--config.file=${file}`, "--predict.min-r2=2"]);
    expect(flag).toMatchObject({
      code: 1,
      stderr: "--predict.min-r2: predict.min_r2 must be a number from 0 up to 1 (a share)\n",
    });
    const variable = await run(["monitor", `--config.file=${file}`], { CYCLE_INTERVAL_SECONDS: "soon" });
    expect(variable.code).toBe(1);
    expect(variable.stderr).toMatch(/^environment CYCLE_INTERVAL_SECONDS: cycle_interval_seconds must be /);
  });

  test("a taken port: the port and the flag that changes it, exit 1", async () => {
    const service = await world.service();
    const config = world.file("port.yml", `${GOOD}data_dir: ${world.dir}/journal\n`);
    const port = service.name.split(":")[1];
    const monitor = await run(["monitor", `--config.file=${config}`, `--web.listen-address=${service.name}`]);
    expect(monitor.code).toBe(1);
    expect(monitor.stderr).toBe(
      `helius monitor: port ${port} on 127.0.0.1 is already in use; choose another with --web.listen-address=HOST:PORT\n`,
    );
    const up = await run([
      "up",
      `--data-dir=${world.dir}/up`,
      `--product-api.listen-address=${service.name}`,
    ]);
    expect(up.code).toBe(1);
    expect(up.stderr).toContain(`port ${port} on 127.0.0.1 is already in use`);
    expect(up.stderr).toContain("--product-api.listen-address");
    const second = await run(["service", "product-api", `--web.listen-address=${service.name}`], {
      HELIUS_DATA_DIR: `${world.dir}/second`,
    });
    expect(second.code).toBe(1);
    expect(second.stderr).toContain(
      `port ${port} on 127.0.0.1 is already in use; choose another with PORT or`,
    );
    expect(second.stderr).not.toMatch(/\n\s+at /);
  });

  test("--help of every command: exit 0, every flag, its variable and its default", async () => {
    const overview = await run(["--help"]);
    expect(overview.code).toBe(0);
    const commands = [...overview.stdout.matchAll(/^ {2}([a-z-]+) {2,}\S/gm)].map((match) => match[1] ?? "");
    expect(commands).toEqual(expect.arrayContaining(["up", "monitor", "service", "check-config"]));
    for (const command of commands) {
      const { code, stdout, stderr } = await run([command, command === "up" ? "-h" : "--help"]);
      expect({ command, code, stderr }).toEqual({ command, code: 0, stderr: "" });
      expect(stdout).toMatch(new RegExp(`^helius ${command} `));
    }
    const { stdout } = await run(["monitor", "--help"]);
    const lines = stdout.split("\n");
    for (const binding of bindings) {
      const line = lines.find((text) => text.trimStart().startsWith(`--${flagOf(binding.path)}`));
      expect(line, binding.path).toBeDefined();
      if (binding.shownDefault !== "") expect(line).toContain(`default ${binding.shownDefault}`);
      if (binding.env !== undefined) expect(line).toContain(`$${binding.env}`);
    }
    expect((await run(["service", "--help"])).stdout).toMatch(/--log\.level.*default info/);
  });

  test("--version: name, version and revision", async () => {
    const { code, stdout } = await run(["--version"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^helius \d+\.\d+\.\d+ \(.+\)\n$/);
  });
});
