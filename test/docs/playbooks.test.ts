import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { keysAt } from "../../src/common/settings/walk.ts";
import { loadConfig } from "../../src/monitor/config/load.ts";
import { playbooksSchema } from "../../src/monitor/config/playbooks.ts";
import { fileSchema } from "../../src/monitor/config/schema.ts";

// docs/playbooks.md is held to the program: its example is read, its tables are complete.

const text = readFileSync(new URL("../../docs/playbooks.md", import.meta.url), "utf8");
const folder = mkdtempSync(join(tmpdir(), "helius-playbooks-"));
afterAll(() => rmSync(folder, { recursive: true }));

function load(yaml: string) {
  const file = join(folder, "helius.yml");
  writeFileSync(file, yaml);
  return loadConfig({ file, env: { KUBERNETES_SERVICE_HOST: "10.0.0.1" }, flags: {} });
}

const shipped = readFileSync(new URL("../../config/helius.yml", import.meta.url), "utf8");

/** First cells of the table whose head begins so. */
function firstCells(head: string): string[] {
  const [, rows = ""] = text.split(new RegExp(`^\\| ${head} .*\\n\\|[-| ]+\\n`, "m"));
  const lines = rows.slice(0, rows.indexOf("\n\n")).split("\n");
  return lines.map((line) => line.split("|")[1]?.trim().replaceAll("`", "") ?? "");
}

test("the example is a valid part of a configuration", () => {
  const example = /```yaml\n(playbooks:[\s\S]*?)```/.exec(text)?.[1] ?? "";
  const { playbooks } = load(`${shipped}\n${example}`);
  expect(playbooks.map(({ name }) => name)).toEqual(["contain-backlog", "restart-registry", "slow-shop"]);
});

test("every built-in playbook has its row, with its alert and its steps", () => {
  const { playbooks } = load(shipped);
  expect(firstCells("playbook")).toEqual(playbooks.map(({ name }) => name));
  for (const { name, alert, steps } of playbooks) {
    const row = text.split("\n").find((line) => line.startsWith(`| \`${name}\``)) ?? "";
    expect(row).toContain(`\`${alert?.name}\``);
    for (const { kind, on, expiresMs, parameters } of steps) {
      expect(row).toContain(`\`${kind}\``);
      if (on.instances[0]?.url.startsWith("kubernetes:")) expect(row).toContain(`\`${on.name}\``);
      if (expiresMs !== undefined) expect(row).toContain(`${expiresMs / 1000} s`);
      if (parameters.per_second !== undefined) expect(row).toContain(`${parameters.per_second} messages`);
    }
  }
});

test("every key has its row", () => {
  const keys = (path: (string | number)[]) => keysAt(playbooksSchema, path).sort();
  expect(firstCells("key of a playbook").sort()).toEqual(keys([0]));
  expect(firstCells("key of a step").sort()).toEqual(keys([0, "steps", 0]));
  expect(text).toContain(`alerts.${keysAt(fileSchema, ["alerts"])[0]}`);
});
