import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { createRegistry } from "../../src/common/telemetry/registry.ts";
import { GUARDS } from "../../src/monitor/guards/index.ts";
import { createGuardMetrics } from "../../src/monitor/report/guard-metrics.ts";

// docs/guards.md is held to the guards there are: their order, their sections, their metrics.

const text = readFileSync(fileURLToPath(new URL("../../docs/guards.md", import.meta.url)), "utf8");

/** First cells of the rows of the table whose head begins with `head`. */
function table(head: string): string[][] {
  const lines = text.slice(text.indexOf(`| ${head}`)).split("\n");
  const rows = lines.slice(
    2,
    lines.findIndex((line) => !line.startsWith("|")),
  );
  return rows.map((line) =>
    line
      .slice(1, -1)
      .split("|")
      .map((cell) => cell.replaceAll("`", "").trim()),
  );
}

test("docs/guards.md lists every guard in the order in which they are asked, whom each looks at, with a section each", () => {
  expect(table("guard ").map(([guard, looksAt, asked]) => [guard, looksAt, asked])).toEqual(
    GUARDS.map(({ name, looksAt, asked }) => [name, looksAt.join(", "), asked]),
  );
  for (const { name: guard } of GUARDS) expect(text).toContain(`\n## ${guard}\n`);
});

test("docs/guards.md lists every metric of the guards with its type and labels", () => {
  const registry = createRegistry({ processMetrics: false });
  createGuardMetrics(registry);
  const made = registry.getMetricsAsArray() as unknown as { name: string; labelNames: string[] }[];
  const real = made.map(({ name, labelNames }) => [
    name,
    name.endsWith("_total") ? "counter" : "gauge",
    labelNames.join(", "),
  ]);
  expect(table("metric ").map((row) => row.slice(0, 3))).toEqual(real);
});
