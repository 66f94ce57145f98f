import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  kubeconfigText,
  startApi,
  temporaryFile,
} from "../../src/monitor/actions/rollout-restart/cluster.testkit.ts";
import { answering, calm, startService } from "../../src/monitor/actions/shared/service.testkit.ts";
import { type OpenActions, openActions } from "../../src/monitor/app/wiring.ts";
import { loadConfig } from "../../src/monitor/config/load.ts";
import type { Config } from "../../src/monitor/config/types.ts";
import type { Intent } from "../../src/monitor/kernel/action.ts";
import type { Step } from "../../src/monitor/kernel/containment.ts";
import { NO_METERS } from "../../src/monitor/kernel/plugin.ts";
import { temporaryDirectory } from "../../src/services/kit/kit.testkit.ts";

// From the configuration file to the call that arrives: the actions as the monitor opens them, and reloads them.

let dir: ReturnType<typeof temporaryDirectory>;
let actions: OpenActions | undefined;
beforeEach(() => {
  dir = temporaryDirectory();
});
afterEach(async () => {
  await actions?.close();
  actions = undefined;
  dir.remove();
});

function configOf(text: string) {
  const file = join(dir.path, "helius.yml");
  writeFileSync(file, text);
  return loadConfig({ file, env: {}, flags: {}, targetless: true });
}

const open = ({ actions: settings }: Config) =>
  openActions({ tokens: () => ["token"], settings, meters: NO_METERS });

const drainTo = (url: string) =>
  configOf(`
actions:
  http:
    - { name: drain, url: "${url}/drain?region={{region}}" }
playbooks:
  - name: contain
    alert: { name: SomethingIsWrong }
    steps:
      - { action: http, on: drain, parameters: { region: us-east-1 } }
`);

/** What the loop asks of a step: its intent on the one instance. */
function carryOut(step: Step, id = "intent-1") {
  const intent: Intent = {
    id,
    kind: step.kind,
    target: step.on.name,
    signal: "alert",
    trigger: "alert",
    predictor: "alert",
    parameters: step.parameters,
    epoch: 1,
    at: { wallMs: 1_700_000_000_000, monoMs: 1 },
    bootId: "boot",
  };
  const [instance] = step.on.instances;
  const action = actions?.byKind.get(step.kind);
  if (instance === undefined || action === undefined) throw new Error(`nothing carries out ${step.kind}`);
  return action.execute(intent, instance, calm());
}

describe("a step of a playbook", () => {
  it("of actions.http arrives at its address", async () => {
    const service = await startService(answering(200));
    const config = drainTo(service.url);
    actions = open(config);
    const outcome = await carryOut(config.playbooks[0]?.steps[0] as Step);
    expect(outcome).toMatchObject({ instance: "drain", status: "applied" });
    expect(service.arrived[0]).toMatchObject({ url: "/drain?region=us-east-1", method: "POST" });
    expect(service.arrived[0]?.headers["x-admin-token"]).toBeUndefined();
  });

  it("of a workload restarts it on the cluster of the kubeconfig", async () => {
    const api = await startApi();
    const config = configOf(`
actions: { kubernetes: { kubeconfig: ${temporaryFile("config", kubeconfigText(api.url))} } }
playbooks:
  - name: restart
    alert: { name: MlflowUnreachable }
    steps:
      - { action: rollout-restart, workload: helius/deployment/mlflow-tracker }
`);
    actions = open(config);
    const step = config.playbooks[0]?.steps[0] as Step;
    expect((await carryOut(step)).status).toBe("applied");
    expect((await carryOut(step)).status).toBe("already_applied");
    expect(api.rollouts).toHaveLength(1);
  });

  it("after a change of the configuration goes where it says now; one under way ends as it began", async () => {
    let release = (): void => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    let arrived = (): void => {};
    const underWay = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    const before = await startService((response, call, request) => {
      arrived();
      void held.then(() => answering(200)(response, call, request));
    });
    const after = await startService(answering(200));
    const old = drainTo(before.url);
    actions = open(old);
    const { byKind } = actions;
    const first = carryOut(old.playbooks[0]?.steps[0] as Step);
    await underWay;
    const next = drainTo(after.url);
    actions.reconfigure(next.actions);
    expect(actions.byKind).toBe(byKind);
    const second = await carryOut(next.playbooks[0]?.steps[0] as Step, "intent-2");
    release();
    expect([(await first).status, second.status]).toEqual(["applied", "applied"]);
    expect([before.arrived.length, after.arrived.length]).toEqual([1, 1]);
  });

  it("whose entry is gone after a change is refused", async () => {
    const service = await startService(answering(200));
    const config = drainTo(service.url);
    actions = open(config);
    actions.reconfigure({ ...config.actions, http: [] });
    const outcome = await carryOut(config.playbooks[0]?.steps[0] as Step);
    expect(outcome).toMatchObject({ status: "refused" });
    expect(service.arrived).toEqual([]);
  });
});

it("the Kubernetes library is loaded for a restart, and by nothing else", async () => {
  const api = await startApi();
  const kubeconfig = temporaryFile("config", kubeconfigText(api.url));
  const script = `
    import { registerHooks } from "node:module";
    let loaded = false;
    registerHooks({ resolve(name, context, next) {
      if (name === "@kubernetes/client-node") loaded = true;
      return next(name, context);
    } });
    await import("./src/cli/index.ts");
    const { openActions } = await import("./src/monitor/app/wiring.ts");
    const say = (what) => console.log(what + ": " + loaded);
    const intent = { id: "i", kind: "rollout-restart", epoch: 1, at: { wallMs: 1700000000000, monoMs: 1 } };
    const instance = { name: "n", url: "kubernetes://helius/deployment/mlflow-tracker" };
    const restart = async (kubeconfig) => {
      const actions = openActions({ tokens: () => ["t"], settings: { kubernetes: { kubeconfig }, http: [] }, meters: () => {} });
      say("opened");
      const signal = new AbortController().signal;
      say((await actions.byKind.get("rollout-restart").execute(intent, instance, signal)).status);
      await actions.close();
    };
    await restart(undefined);
    await restart(${JSON.stringify(kubeconfig)});
  `;
  const run = await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", script], {
    cwd: fileURLToPath(new URL("../../", import.meta.url)),
    env: { PATH: process.env.PATH },
    timeout: 60_000,
  });
  expect(run.stderr).toBe("");
  expect(run.stdout.trim().split("\n")).toEqual([
    "opened: false",
    "refused: false",
    "opened: false",
    "applied: true",
  ]);
});
