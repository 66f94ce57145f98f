import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { eventually, temporaryDirectory } from "../../src/services/kit/kit.testkit.ts";
import {
  decodeModel,
  encodeModel,
  fingerprint,
} from "../../src/services/recommender-service/model/artifact.ts";
import { buildModel } from "../../src/services/recommender-service/model/build.ts";
import { train } from "../../src/services/recommender-service/train.ts";
import { type MlflowServer, startMlflow, type Trouble } from "./mlflow-server.ts";
import { startRecommender, type TestRecommender } from "./start.ts";

// The three stages of model loading, against a tracking server that really listens.

const NAME = "helius-reco";
const first = buildModel({ users: 1_000, seed: 1, live: [], wallMs: 1_700_000_000_000 }).artifact;
const second = buildModel({ users: 1_000, seed: 2, live: [], wallMs: 1_700_000_100_000 }).artifact;

let folder: ReturnType<typeof temporaryDirectory>;
let mlflow: MlflowServer;
const running: TestRecommender[] = [];

beforeEach(async () => {
  folder = temporaryDirectory();
  mlflow = await startMlflow();
});

afterEach(async () => {
  await Promise.all(running.splice(0).map((service) => service.close()));
  await mlflow.stop().catch(() => undefined);
  folder.remove();
});

async function start(env: Record<string, string> = {}): Promise<TestRecommender> {
  const service = await startRecommender({
    dataDir: folder.path,
    env: { MLFLOW_TRACKING_URI: mlflow.url, ...env },
  });
  running.push(service);
  return service;
}

async function stop(service: TestRecommender): Promise<void> {
  running.splice(running.indexOf(service), 1);
  await service.close();
}

const version = async (service: TestRecommender) => (await service.health()).model_version;
const inMode = (service: TestRecommender, mode: string) =>
  eventually(async () => (await service.health()).mode === mode);

describe("a model of the registry", () => {
  test.each([
    ["stage", "models:/helius-reco/Production", { stage: "Production" }],
    ["stage in another case", "models:/helius-reco/production", { stage: "Production" }],
    ["alias", "models:/helius-reco@champion", { aliases: ["champion"] }],
    ["version", "models:/helius-reco/1", {}],
    ["latest", "models:/helius-reco/latest", {}],
  ])("is found by %s, served and shown", async (_name, uri, where) => {
    mlflow.register({ name: NAME, artifact: first, tags: { "helius.sha256": fingerprint(first) }, ...where });
    const service = await start({ MLFLOW_MODEL_URI: uri });
    await inMode(service, "mlflow");
    expect(await service.health()).toMatchObject({
      status: "ok",
      service: "helius-reco-service",
      version: "1.2.3",
      mlflow_connected: true,
      model_version: "helius-reco/1",
      model_problem: null,
    });
    const { json } = await service.predict({ history: [12, 44], k: 3 });
    expect(json).toMatchObject({ mode: "mlflow", model_version: "helius-reco/1", unknown_products: [] });
    expect(json.items).toHaveLength(3);
    expect(await service.metric("reco_engine_in_fallback_mode")).toBe(0);
    expect(await service.metric("reco_engine_mlflow_connected")).toBe(1);
  });

  test("a new version is taken into use without a restart, an old one is not fetched twice", async () => {
    mlflow.register({ name: NAME, artifact: first, aliases: ["champion"] });
    const service = await start({ MLFLOW_MODEL_URI: "models:/helius-reco@champion" });
    await inMode(service, "mlflow");
    const polls = mlflow.seen.length;
    await eventually(() => mlflow.seen.length > polls + 4);
    mlflow.register({ name: NAME, artifact: second, aliases: ["champion"] });
    await eventually(async () => (await version(service)) === "helius-reco/2");
    expect(mlflow.seen.filter((call) => call.includes("mlflow-artifacts"))).toHaveLength(2);
  });

  test("a registry that was set up anew gives another model under the same name", async () => {
    mlflow.register({ name: NAME, artifact: first, stage: "Production" });
    const service = await start();
    await inMode(service, "mlflow");
    const before = await service.predict({ history: [12, 44] });
    const anew = await startMlflow();
    anew.register({
      name: NAME,
      artifact: second,
      stage: "Production",
      tags: { "helius.sha256": fingerprint(second) },
    });
    await stop(service);
    const again = await start({ MLFLOW_TRACKING_URI: anew.url });
    await inMode(again, "mlflow");
    await eventually(async () => {
      const after = await again.predict({ history: [12, 44] });
      return JSON.stringify(after.json.items) !== JSON.stringify(before.json.items);
    });
    expect(await version(again)).toBe("helius-reco/1");
    await anew.stop();
  });

  test("MLflow goes: the last good model answers; it returns: back by itself; also over a restart", async () => {
    mlflow.register({ name: NAME, artifact: first, stage: "Production" });
    const service = await start();
    await inMode(service, "mlflow");
    const before = await service.predict({ history: [12, 44] });
    await mlflow.stop();
    await inMode(service, "disk");
    expect(await service.health()).toMatchObject({ mlflow_connected: false, model_version: "helius-reco/1" });
    expect(await service.metric("reco_engine_in_fallback_mode")).toBe(1);
    await stop(service);

    const again = await start();
    expect(await again.health()).toMatchObject({ mode: "disk", mlflow_connected: false });
    const after = await again.predict({ history: [12, 44] });
    expect(after.json).toEqual({ ...before.json, mode: "disk" });
    await mlflow.resume();
    await inMode(again, "mlflow");
    expect(await again.metric("reco_engine_in_fallback_mode")).toBe(0);
    expect(mlflow.seen.filter((call) => call.includes("mlflow-artifacts"))).toHaveLength(1);
    expect(again.lines.map((line) => line.message)).toEqual(
      expect.arrayContaining(["mlflow unreachable", "mlflow reachable"]),
    );
  });
});

describe("a registry in trouble", () => {
  const unreachable: [string, Trouble][] = [
    ["HTML", { kind: "html" }],
    ["500", { kind: "status", status: 500 }],
    ["a 404 that is not MLflow's", { kind: "status", status: 404 }],
    ["silence", { kind: "hang" }],
    ["a drip", { kind: "drip" }],
    ["JSON of another shape", { kind: "json", body: { model_versions: [{ version: "x" }] } }],
    ["two megabytes of JSON", { kind: "json", body: { padding: "x".repeat(2_000_000) } }],
    ["a redirect", { kind: "redirect", to: "http://127.0.0.1:9" }],
  ];
  test.each(unreachable)("%s: the static list answers, then the registry's model", async (_name, trouble) => {
    mlflow.register({ name: NAME, artifact: first, stage: "Production" });
    mlflow.trouble(trouble);
    const service = await start();
    await eventually(async () => ((await service.metric("reco_engine_model_loads_total")) ?? 0) > 0);
    expect(await service.health()).toMatchObject({ status: "ok", mode: "static", mlflow_connected: false });
    const { status, json } = await service.predict({ history: [12], k: 50 });
    expect(status).toBe(200);
    expect(json).toMatchObject({ mode: "static", model_version: "static-1" });
    expect(json.items).toHaveLength(50);
    expect(await service.metric("reco_engine_mode_static_active")).toBe(1);
    mlflow.trouble(undefined);
    await inMode(service, "mlflow");
    expect(await service.metric("reco_engine_mode_static_active")).toBe(0);
  });

  const bad: [string, Trouble, RegExp][] = [
    [
      "cut off",
      { kind: "artifact", change: (bytes) => bytes.subarray(0, bytes.length / 2) },
      /bytes after the first line/,
    ],
    ["one bit flipped", { kind: "artifact", change: (bytes) => flipped(bytes) }, /SHA-256/],
    ["empty", { kind: "artifact", change: () => Buffer.alloc(0) }, /first line/],
    ["HTML", { kind: "artifact", change: () => Buffer.from("<html>") }, /first line/],
    ["of the wrong shape", { kind: "artifact", change: () => misshapen() }, /neighbour/],
    ["endless", { kind: "endless-artifact" }, /over the cap of 33554432 bytes/],
  ];
  test.each(bad)(
    "an artifact that is %s is rejected, told and not served",
    async (_name, trouble, reason) => {
      mlflow.register({ name: NAME, artifact: first, stage: "Production" });
      mlflow.trouble(trouble);
      const service = await start({ RECOMMENDER_MLFLOW_TIMEOUT_SECONDS: "2" });
      const line = await eventually(() => service.lines.find((l) => l.message === "registry model rejected"));
      expect(line.reason).toMatch(reason);
      expect(await service.health()).toMatchObject({ mode: "static", mlflow_connected: true });
      expect((await service.health()).model_problem).toMatch(reason);
      expect((await service.predict({ history: [] })).json.mode).toBe("static");
      mlflow.trouble(undefined);
      await inMode(service, "mlflow");
      expect((await service.health()).model_problem).toBeNull();
    },
  );

  test.each([
    ["another SHA-256 than its tag", { tags: { "helius.sha256": "0".repeat(64) } }, /tag/],
    ["in a store elsewhere", { artifactUri: "s3://bucket/model" }, /tracking server/],
    ["on another host", { artifactUri: "mlflow-artifacts://elsewhere:1/model" }, /another server/],
    ["above its folder", { artifactUri: "mlflow-artifacts:/a/%2e%2e%2fb" }, /upwards/],
    ["a version without a file", { artifactUri: "mlflow-artifacts:/0/none" }, /No such artifact/],
  ])("a version whose artifact is %s is not served", async (_name, where, reason) => {
    mlflow.register({ name: NAME, artifact: first, stage: "Production", ...where });
    const service = await start();
    const line = await eventually(() => service.lines.find((l) => l.message === "registry model rejected"));
    expect(line.reason).toMatch(reason);
    expect(await service.health()).toMatchObject({ mode: "static", mlflow_connected: true });
  });

  test("a model that is not registered yet: connected, static, then served once it is", async () => {
    const service = await start();
    await eventually(async () => (await service.health()).mlflow_connected);
    expect((await service.health()).model_problem).toMatch(/RESOURCE_DOES_NOT_EXIST/);
    expect((await service.health()).mode).toBe("static");
    mlflow.register({ name: NAME, artifact: first, stage: "Staging" });
    await eventually(async () =>
      /no version in stage Production/.test(String((await service.health()).model_problem)),
    );
    mlflow.register({ name: NAME, artifact: second, stage: "Production" });
    await eventually(async () => (await version(service)) === "helius-reco/2");
  });

  test("a bad new version leaves the good one in use", async () => {
    mlflow.register({ name: NAME, artifact: first, stage: "Production" });
    const service = await start({ MLFLOW_MODEL_URI: "models:/helius-reco/latest" });
    await inMode(service, "mlflow");
    mlflow.register({ name: NAME, artifact: flipped(second), stage: "Production" });
    await eventually(() => service.lines.find((l) => l.message === "registry model rejected"));
    expect(await service.health()).toMatchObject({ mode: "mlflow", model_version: "helius-reco/1" });
    expect((await service.predict({ history: [12] })).json.model_version).toBe("helius-reco/1");
  });
});

test("a model trained here stays, also over a restart, until the registry offers another version", async () => {
  mlflow.register({ name: NAME, artifact: first, stage: "Production" });
  const service = await start();
  await inMode(service, "mlflow");
  await service.admin("mitigate?action=retrain");
  await eventually(async () => (await service.health()).mode === "trained");
  const trained = await version(service);
  const looks = mlflow.seen.length;
  await eventually(() => mlflow.seen.length > looks + 3);
  expect(await service.health()).toMatchObject({ mode: "trained", fallback: false, mlflow_connected: true });
  await stop(service);

  const again = await start();
  await eventually(async () => (await again.health()).mlflow_connected);
  expect(await version(again)).toBe(trained);
  mlflow.register({ name: NAME, artifact: second, stage: "Production" });
  await eventually(async () => (await version(again)) === "helius-reco/2");
});

test("a disk that takes nothing: the model is served all the same, and told", async () => {
  mlflow.register({ name: NAME, artifact: first, stage: "Production" });
  mkdirSync(join(folder.path, "recommender-service", "last-good.model.draft"), { recursive: true });
  const service = await start();
  await inMode(service, "mlflow");
  expect((await service.health()).model_problem).toMatch(/EISDIR/);
  expect(service.lines.map((line) => line.message)).toContain("model cache cannot be written");
});

describe("the training command", () => {
  test("prints a model that is better than the most popular products, and registers it", async () => {
    const lines: string[] = [];
    const env = { MLFLOW_TRACKING_URI: mlflow.url };
    const print = (line: string) => void lines.push(line);
    const options = { env, print, wallMs: 1_700_000_000_000 };
    expect(await train(["--users", "2000", "--publish"], options)).toBe(0);
    const rate = (name: string) =>
      Number(lines.find((line) => line.includes(name))?.match(/([\d.]+) %/)?.[1]);
    expect(rate("hit-rate@5 model")).toBeGreaterThan(1.5 * rate("hit-rate@5 top-N"));
    expect(lines.at(-1)).toBe("registered as          helius-reco/1");
    const service = await start();
    await inMode(service, "mlflow");
    expect(await train(["--users", "2000", "--seed", "9", "--publish"], options)).toBe(0);
    await eventually(async () => (await version(service)) === "helius-reco/2");
  });

  test("registers the first model only, where that is asked for", async () => {
    const lines: string[] = [];
    const print = (line: string) => void lines.push(line);
    const options = { env: { MLFLOW_TRACKING_URI: mlflow.url }, print, wallMs: 1_700_000_000_000 };
    const first = ["--users", "100", "--publish", "--if-missing"];
    expect(await train(first, options)).toBe(0);
    expect(lines.at(-1)).toBe("registered as          helius-reco/1");
    expect(await train(first, options)).toBe(0);
    expect(lines.at(-1)).toBe("already registered     helius-reco/1");
    expect(await train(["--users", "100", "--publish"], options)).toBe(0);
    expect(lines.at(-1)).toBe("registered as          helius-reco/2");
    // A registry that is away has not said that it has none.
    await mlflow.stop();
    const count = lines.length;
    expect(await train(first, options)).toBe(1);
    expect(lines.slice(count).join()).not.toContain("hit-rate");
  });

  test("says what is wrong", async () => {
    const said: string[] = [];
    const context = { env: {}, print: (line: string) => void said.push(line), wallMs: 0 };
    expect(await train(["--users", "ten"], context)).toBe(2);
    expect(said.join()).toMatch(/--users is "ten": expected a whole number, 100 <= N <= 100000/);
    expect(await train(["--publish", "--users", "100"], context)).toBe(1);
    expect(said.join()).toMatch(/MLFLOW_TRACKING_URI is ""/);
  });
});

function flipped(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  copy[5_000] = (copy[5_000] ?? 0) ^ 1;
  return copy;
}

/** Sound bytes, impossible content. */
function misshapen(): Buffer {
  const body = decodeModel(first);
  const [head, ...rest] = body.items;
  if (head === undefined) throw new Error("a model without items");
  return encodeModel({ ...body, items: [{ ...head, neighbours: [{ id: head.id, weight: 1 }] }, ...rest] });
}
