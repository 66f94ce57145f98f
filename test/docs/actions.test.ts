import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { actionKinds } from "../../src/monitor/actions/index.ts";
import type { ActionPlugin } from "../../src/monitor/actions/shared/context.ts";
import { loadConfig } from "../../src/monitor/config/load.ts";
import { calleesOf } from "../../src/monitor/config/plugins.ts";
import { healedBy } from "../../src/monitor/kernel/containment.ts";

// docs/actions.md is held to the descriptors of src/monitor/actions, and the examples to the configuration that they show.

const root = fileURLToPath(new URL("../../", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "helius-docs-"));
afterAll(() => rmSync(folder, { recursive: true }));
const read = (path: string) => readFileSync(join(root, path), "utf8");

/** Rows of the first table under a heading, without its head. */
function table(heading: string): string[][] {
  const text = read("docs/actions.md").split(`\n## ${heading}\n`)[1]?.split("\n## ")[0] ?? "";
  const lines = text.split("\n").filter((line) => line.startsWith("|"));
  return lines.slice(2).map((line) =>
    line
      .slice(1, -1)
      .split("|")
      .map((cell) => cell.trim().replaceAll("`", "")),
  );
}

describe("docs/actions.md", () => {
  it("explains exactly the statuses of an outcome", () => {
    const source = /type InstanceStatus =([^;]+);/.exec(read("src/monitor/kernel/action.ts"))?.[1] ?? "";
    const declared = [...source.matchAll(/"(\w+)"/g)].map((m) => m[1]);
    expect(declared.length).toBe(5);
    expect(table("What came of it").map(([status]) => status)).toEqual(declared);
  });
});

it("docs/actions.md: its example of what heals a target is a right one, and each is healed as it says", () => {
  const example = /^```yaml\n(mitigate:[\s\S]*?)^```/m.exec(read("docs/actions.md"))?.[1] ?? "";
  const file = join(folder, "mitigate.yml");
  writeFileSync(file, example);
  const { targets, playbooks } = loadConfig({ file, env: {}, flags: {} });
  expect(targets.map((target) => `${target.name}: ${healedBy(target, playbooks)}`)).toEqual([
    "product-api: healed by its Helius admin plane",
    "shop: healed by http restart-it",
    "search: watched only: nothing is allowed to heal it",
  ]);
});

/** A target with regions, as a playbook of the example compares them. */
const TARGETS = `targets:
  - name: product-api
    url: http://app:8000
    parts: { label: region, backlog_metric: queue_depth, inbound_metric: received_total }
`;

describe.each(["docs/actions.md", "docs/configuration.md"])("%s", (document) => {
  const examples = [...read(document).matchAll(/^```yaml\n(actions:[\s\S]*?)^```/gm)].map((m) => m[1] ?? "");

  it("has an example of actions.http, and it is a right one", () => {
    expect(examples.length).toBe(1);
    const file = join(folder, "example.yml");
    writeFileSync(file, `${examples[0]}${TARGETS}`);
    const { actions } = loadConfig({ file, env: {}, flags: {} });
    const [callee, ...others] = calleesOf(actionKinds.get("http") as ActionPlugin, actions);
    expect(others).toEqual([]);
    expect(callee?.name).toBe("drain-pool");
    expect(Object.keys(callee?.parameters ?? {})).toEqual(["pool", "region"]);
  });
});
