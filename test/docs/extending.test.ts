import { execFile } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

// docs/extending.md is carried out: in a copy of the tree each plug-in is its folder and its entry, and nothing else.

const root = fileURLToPath(new URL("../../", import.meta.url));
const text = readFileSync(join(root, "docs/extending.md"), "utf8");
const copy = mkdtempSync(join(tmpdir(), "helius-extending-"));
afterAll(() => rmSync(copy, { recursive: true }));

/** The blocks of code that stand under a path: whole files, and entries of a list. */
const blocks = [
  ...text.matchAll(/^`(src\/[^`]+)`(, its import and its entry)?:\n\n```ts\n([\s\S]*?)^```/gm),
].map(([, path = "", entry, code = ""]) => ({ path, entry: entry !== undefined, code }));
const example = /^```yaml\n([\s\S]*?)^```/m.exec(text)?.[1] ?? "";
const kinds = ["invalid_ratio", "file", "reload", "change_freeze", "webhook", "lines"];

const run = async (command: string, ...args: string[]) => {
  const options = { cwd: copy, env: { ...process.env, NO_COLOR: "1" }, maxBuffer: 1e8 };
  try {
    return (await promisify(execFile)(command, args, options)).stdout;
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    throw new Error(`${args.join(" ")}: ${stdout}${stderr}`);
  }
};
const bin = (name: string) => join(copy, "node_modules/.bin", name);
const node = (...args: string[]) => run(process.execPath, ...args);
const read = (path: string) => readFileSync(join(copy, path), "utf8");

/** The import after the last one, the entry at the end of the list. */
function register(path: string, code: string): void {
  const [line = "", entry = ""] = code.split("\n");
  const before = read(path);
  const imports = [...before.matchAll(/^(?:import|\}) .*from ".*";$/gm)];
  const last = imports.at(-1);
  if (last === undefined) throw new Error(`${path} imports nothing`);
  const at = last.index + last[0].length;
  const imported = `${before.slice(0, at)}\n${line}${before.slice(at)}`;
  const after = imported.replace(
    /(= \[[^\]]*?),?\s*\]( as const)?;/,
    (_, list, as = "") => `${list}, ${entry}]${as};`,
  );
  expect(after, path).not.toBe(imported);
  writeFileSync(join(copy, path), after);
}

beforeAll(async () => {
  for (const path of ["src", "test", "tools", "grafana", "docs", "config", "package.json", "tsconfig.json"])
    cpSync(join(root, path), join(copy, path), { recursive: true });
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
  const { vcs: _, ...biome } = JSON.parse(readFileSync(join(root, "biome.json"), "utf8")) as { vcs: unknown };
  writeFileSync(join(copy, "biome.json"), JSON.stringify(biome));
  for (const { path, entry, code } of blocks) {
    if (entry) register(path, code);
    else {
      mkdirSync(dirname(join(copy, path)), { recursive: true });
      writeFileSync(join(copy, path), code);
    }
  }
  // Where an import goes and how a list is broken is for the formatter.
  await run(bin("biome"), "check", "--write", ...blocks.map(({ path }) => path));
  await node("tools/docs/main.ts");
});

test("each plug-in is one folder and one entry", () => {
  const made = blocks.filter(({ entry }) => !entry).map(({ path }) => dirname(path));
  expect(blocks.filter(({ entry }) => entry).map(({ path }) => dirname(path))).toEqual(
    [...new Set(made)].map((folder) => dirname(folder)),
  );
  expect(new Set(made).size).toBe(kinds.length);
});

test("lint, layers and types hold", async () => {
  await run(bin("biome"), "ci", ...blocks.map(({ path }) => path));
  await node("tools/lint/layers.ts");
  await run(bin("tsc"), "--noEmit");
});

describe("the new kinds", () => {
  test("have their flags in the help", async () => {
    const help = await node("src/main.ts", "monitor", "--help");
    for (const flag of [
      "signals.invalid-ratio.slo",
      "sources.file.path",
      "sources.file.timeout-seconds",
      "guards.change-freeze.until",
      "notify.webhook.url",
    ])
      expect(help).toContain(`--${flag}=<`);
    expect(help).toContain("prometheus,scrape,file");
  });

  test("are in the reference and among the metrics", () => {
    const configuration = read("docs/configuration.md");
    for (const kind of kinds) expect(configuration).toMatch(new RegExp(`\\| \`${kind}\` `));
    expect(read("docs/actions.md")).toContain("| `reload` ");
    for (const metric of ["predict_file_source_reads_total", "predict_change_freeze"])
      expect(read("docs/metrics.md")).toContain(`| \`${metric}\` `);
    expect(read("docs/guards.md")).toContain("| `predict_change_freeze` ");
  });

  test("are taken by the configuration, with errors that say what would be right", async () => {
    writeFileSync(join(copy, "example.yml"), example);
    const said = await node("src/main.ts", "check-config", "example.yml");
    expect(said).toContain("example.yml: valid");
    expect(said).toContain("sources: file, then prometheus");
    expect(said).toContain("escalations go to https://chat.example/hook");
    expect(said).toContain("reload on shop");
    writeFileSync(join(copy, "wrong.yml"), "guards: { change_freeze: { until: tomorrow } }\n");
    await expect(node("src/main.ts", "check-config", "wrong.yml")).rejects.toThrow(
      "wrong.yml:1:28: guards.change_freeze.until must be a time with its zone, e.g. 2026-11-21T14:00:00Z",
    );
  });

  test("are in the matrix of guards and actions", async () => {
    writeFileSync(
      join(copy, "vitest.config.ts"),
      'export default { test: { include: ["src/monitor/cycle/matrix.test.ts"], testTimeout: 120_000 } };\n',
    );
    const said = await run(bin("vitest"), "run", "--reporter=verbose");
    for (const title of [
      "closing change_freeze > for shop > blocks mitigate that a person",
      "blocks reload that a forecast",
    ])
      expect(said).toContain(title);
  });

  test("do what they say", async () => {
    writeFileSync(join(copy, "src/try.ts"), TRIAL);
    expect(JSON.parse(await node("src/try.ts"))).toEqual({
      observed: ["ok", "missing"],
      action: ["applied", "POST /-/reload intent-1"],
      notified: ["delivered", "failed"],
      store: { first: ["intent-1"], left: [], epochs: 1, entry: "applied" },
    });
  });
});

const TRIAL = `
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { Agent } from "undici";
import { reload } from "./monitor/actions/reload/index.ts";
import { NO_METERS } from "./monitor/kernel/plugin.ts";
import { webhook } from "./monitor/notify/webhook/index.ts";
import { file } from "./monitor/sources/file/index.ts";
import { lines } from "./monitor/store/lines/index.ts";

const now = { wallMs: Date.now(), monoMs: 1 };
const clock = { bootId: "boot", now: () => now };
const signal = new AbortController().signal;
let asked = "";
let status = 200;
const server = createServer((request, response) => {
  asked = [request.method, request.url, request.headers["idempotency-key"]].join(" ");
  response.writeHead(status).end();
});
await new Promise((done) => server.listen(0, "127.0.0.1", () => done(undefined)));
const url = "http://127.0.0.1:" + server.address().port;

writeFileSync("values.json", JSON.stringify({ "shop/backlog": { value: 3, timestampMs: now.wallMs } }));
const limits = { clock, timeoutMs: 1000, maxResponseBytes: 1e6, rateWindowMs: 1, maxSampleAgeMs: 60000, maxFutureMs: 1000 };
const source = file.create({ ...limits, meters: NO_METERS }, { path: "values.json" });
const plan = ["backlog", "memory"].map((name, index) => ({ index, target: { name: "shop" }, signal: { name } }));
const observed = (await source.observe({ plan, now, signal })).map((o) => o.status);

const dispatcher = new Agent();
const context = { dispatcher, tokens: () => [], random: Math.random, sleep: async () => {}, meters: NO_METERS };
const intent = {
  id: "intent-1", kind: "reload", target: "shop", signal: "backlog", trigger: "alert", predictor: "alert",
  epoch: 1, at: now, bootId: "boot",
};
const outcome = await reload.create(context, undefined).execute(intent, { name: "shop", url }, signal);
const action = [outcome.status, asked];

const notifier = webhook.create({ timeoutMs: 1000, random: Math.random, now: Date.now, meters: NO_METERS }, { url });
const notified = [(await notifier.notify([], signal)).status];
status = 503;
notified.push((await notifier.notify([], signal)).status);

const open = () => lines.create({ clock, dataDir: "data", retention: { maxEntries: 9, maxAgeMs: 9 }, meters: NO_METERS }, undefined);
const ids = (store) => store.load().openIntents.map(({ id }) => id);
const before = open();
before.recordIntent(intent);
before.close();
const after = open();
const first = ids(after);
after.recordOutcome({ intentId: "intent-1", status: "applied", instances: [], detail: "", at: now });
const store = { first, left: ids(after), epochs: after.epoch - before.epoch, entry: after.entry("intent-1").outcome.status };
after.close();
server.close();
await dispatcher.destroy();
console.log(JSON.stringify({ observed, action, notified, store }));
`;
