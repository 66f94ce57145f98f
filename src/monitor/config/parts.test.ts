import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { ConfigError } from "./errors.ts";
import { loadConfig } from "./load.ts";

const folder = mkdtempSync(join(tmpdir(), "helius-parts-"));
afterAll(() => rmSync(folder, { recursive: true }));
const FILE = join(folder, "helius.yml");

function load(parts: string) {
  writeFileSync(FILE, `targets:\n  - name: gw\n    url: http://gw\n    parts: ${parts}\n`);
  return loadConfig({ file: FILE, env: {}, flags: {} }).targets[0];
}

function problem(parts: string): string {
  try {
    load(parts);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as ConfigError).message.replaceAll(`${folder}/`, "");
  }
  throw new Error("the configuration was accepted");
}

describe("the parts of a target", () => {
  it("are the recipe that sources read", () => {
    expect(
      load("{ label: region, backlog_metric: queue_depth, inbound_metric: x:received_total }")?.parts,
    ).toEqual({
      label: "region",
      backlogMetric: "queue_depth",
      inboundMetric: "x:received_total",
    });
    writeFileSync(FILE, "targets: [{ name: gw, url: http://gw }]");
    expect(loadConfig({ file: FILE, env: {}, flags: {} }).targets[0]).not.toHaveProperty("parts");
  });

  it.each([
    [
      "{ label: region, backlog_metric: a }",
      "helius.yml:4:5: targets[0].parts.inbound_metric must be the name of a counter",
    ],
    [
      "{ label: 'a-b', backlog_metric: a, inbound_metric: b }",
      "helius.yml:4:14: targets[0].parts.label must be a label of letters",
    ],
    [
      "{ label: instance, backlog_metric: a, inbound_metric: b }",
      "parts.label must be a label of letters, digits and underscores, other than job",
    ],
    ["{ label: __name__, backlog_metric: a, inbound_metric: b }", "parts.label must be a label"],
    [
      "{ label: r, backlog_metric: 'sum(a)', inbound_metric: b }",
      "parts.backlog_metric must be the bare name of a gauge",
    ],
    [
      "{ label: r, backlog_metric: 'a\"} or x{', inbound_metric: b }",
      "parts.backlog_metric must be the bare name",
    ],
    ["{ label: r, backlog_metrics: a, inbound_metric: b }", "did you mean backlog_metric?"],
    ["region", "targets[0].parts must be a mapping"],
  ])("%s is refused with what would be right", (parts, text) => {
    expect(problem(parts)).toContain(text);
  });

  it.each(["helius.yml", "up.yml"])("are set for the gateway in config/%s", (name) => {
    const file = fileURLToPath(new URL(`../../../config/${name}`, import.meta.url));
    const { targets } = loadConfig({ file, env: {}, flags: {} });
    expect(targets.find((t) => t.name === "telemetry-gateway")?.parts).toEqual({
      label: "region",
      backlogMetric: "queue_depth",
      inboundMetric: "telemetry_received_total",
    });
  });
});
