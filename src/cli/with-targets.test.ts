import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { loadConfig } from "../monitor/config/load.ts";
import type { Config } from "../monitor/config/types.ts";
import { withTargets } from "./with-targets.ts";

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

describe("withTargets", () => {
  it("takes the addresses of the targets that are there, and leaves out what names others", () => {
    const config = load(TARGETS, { KUBERNETES_SERVICE_HOST: "10.0.0.1" });
    const targets = config.targets
      .filter(({ name }) => name === "recommender-service")
      .map((t) => ({ ...t, instances: [{ name: "127.0.0.1:9", url: "http://127.0.0.1:9" }] }));
    const at = withTargets(config, targets);
    expect(at.targets).toBe(targets);
    expect(at.playbooks.map(({ name }) => name)).toEqual([
      "force-fallback",
      "restart-mlflow",
      "retrain-model",
    ]);
    expect(at.playbooks[0]?.steps[0]?.on).toEqual({
      name: "recommender-service",
      instances: [{ name: "127.0.0.1:9", url: "http://127.0.0.1:9" }],
      cooldownMs: 300_000,
      autoHeal: false,
    });
    expect(at.inactivePlaybooks).toEqual([
      { name: "contain-backlog", why: "target telemetry-gateway is not there" },
    ]);
    expect(config.playbooks[1]?.steps[0]?.on.instances[0]?.url).toBe("http://reco:8001");
  });
});
