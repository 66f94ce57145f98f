import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { loadConfig } from "./load.ts";
import type { Config } from "./types.ts";

const folder = mkdtempSync(join(tmpdir(), "helius-config-"));
afterAll(() => rmSync(folder, { recursive: true }));
const FILE = join(folder, "helius.yml");

const TARGETS = `
targets:
  - { name: telemetry-gateway, url: "http://gateway:8005", mitigate: helius, cooldown_seconds: 60, parts: { label: region, backlog_metric: queue_depth, inbound_metric: received_total } }
  - { name: recommender-service, url: "http://reco:8001", mitigate: helius, auto_heal: false, signals: { backlog: { enabled: false } } }
`;

function load(yaml: string, env: Record<string, string> = {}): Config {
  writeFileSync(FILE, yaml);
  return loadConfig({ file: FILE, env, flags: {} });
}

describe("without a list", () => {
  const names = (config: Config) => config.playbooks.map(({ name }) => name);

  it("the built-in ones are in force where they have something to act on", () => {
    const config = load(TARGETS);
    expect(names(config)).toEqual(["contain-backlog", "force-fallback", "retrain-model"]);
    expect(config.inactivePlaybooks).toEqual([
      {
        name: "restart-mlflow",
        why: "actions.kubernetes.kubeconfig is not set, and the monitor does not run in a pod",
      },
    ]);
    const [backlog, fallback, retrain] = config.playbooks;
    expect(backlog).toMatchObject({
      alert: { name: "PipelineBacklogHigh", labels: { job: "telemetry-gateway" } },
      forecast: { target: "telemetry-gateway", signal: "backlog" },
      undoOnResolved: true,
    });
    expect(backlog?.steps.map((s) => [s.kind, s.preconditions.length, s.undo?.kind, s.expiresMs])).toEqual([
      ["isolate-region", 1, "release-region", 900_000],
      ["set-rate-limit", 0, "reset-rate-limit", 900_000],
      ["mitigate", 1, undefined, undefined],
    ]);
    expect(fallback).toMatchObject({
      alert: { name: "HighInvalidModelOutputs", labels: { job: "recommender-service" } },
      undoOnResolved: false,
    });
    expect(retrain?.steps.map((s) => s.kind)).toEqual(["pause-stream", "retrain"]);
  });

  it("none is in force on a target that only has the name of a Helius service", () => {
    const config = load(TARGETS.replaceAll(" mitigate: helius,", ""));
    expect(names(config)).toEqual([]);
    expect(config.inactivePlaybooks.map(({ why }) => why)).toContain(
      '"telemetry-gateway" must say mitigate: helius, since isolate-region is a call of the Helius admin plane',
    );
  });

  it("each needs its target: what is missing is said", () => {
    const config = load("targets: [{ name: product-api, url: 'http://a' }]");
    expect(names(config)).toEqual([]);
    expect(config.inactivePlaybooks.map(({ name, why }) => `${name}: ${why}`)).toEqual([
      'contain-backlog: "telemetry-gateway" is not the name of a target; known here: product-api',
      'force-fallback: "recommender-service" is not the name of a target; known here: product-api',
      "restart-mlflow: actions.kubernetes.kubeconfig is not set, and the monitor does not run in a pod",
      'retrain-model: "recommender-service" is not the name of a target; known here: product-api',
    ]);
  });

  it("the alert is that of the target's job, and the forecast is left out where the backlog is not watched", () => {
    const config = load(
      "targets: [{ name: telemetry-gateway, job: edge, mitigate: helius, url: 'http://a', signals: { backlog: { enabled: false } } }]",
    );
    expect(config.playbooks[0]?.alert?.labels).toEqual({ job: "edge" });
    expect(config.playbooks[0]).not.toHaveProperty("forecast");
    expect(config.playbooks[0]).not.toHaveProperty("verify");
    // Nor does it say where its regions are read: none is ever known.
    expect(config.playbooks[0]).not.toHaveProperty("regionsOf");
    expect(config.playbooks[0]?.steps.map((s) => [s.kind, s.preconditions])).toEqual([
      ["set-rate-limit", []],
      ["mitigate", []],
    ]);
  });

  it.each<[string, string, Record<string, string>]>([
    ["in a pod", "", { KUBERNETES_SERVICE_HOST: "10.0.0.1" }],
    ["with a kubeconfig", "actions: { kubernetes: { kubeconfig: /k } }", {}],
  ])("workloads are restarted %s", (_name, yaml, env) => {
    const config = load(`${TARGETS}${yaml}`, env);
    const restart = config.playbooks.find(({ name }) => name === "restart-mlflow");
    expect(restart?.steps.map((s) => s.on.instances[0]?.url)).toEqual([
      "kubernetes://helius/deployment/mlflow-tracker",
      "kubernetes://helius/deployment/grafana-core",
    ]);
    expect(config.inactivePlaybooks).toEqual([]);
  });

  it("an empty list turns them off", () => {
    const config = load(`${TARGETS}playbooks: []\n`);
    expect([config.playbooks, config.inactivePlaybooks]).toEqual([[], []]);
  });

  it("a target from the environment takes the place of the file's, for playbooks too", () => {
    const config = load(TARGETS, { TARGET_SERVICE_BASE: "http://a" });
    expect(names(config)).toEqual([]);
    expect(() =>
      load(
        `${TARGETS}${"playbooks: [{ name: p, alert: { name: A }, steps: [{ action: mitigate, on: telemetry-gateway }] }]"}`,
        { TARGET_SERVICE_BASE: "http://a" },
      ),
    ).toThrow(
      /playbooks\[0\]\.steps\[0\]\.on "telemetry-gateway" is not the name of a target; known here: product-api/,
    );
  });
});
