import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { CATALOGUE } from "../../src/lab/simulate/faults/catalogue.ts";
import { PLANTS } from "../../src/lab/simulate/plants/index.ts";
import { catalogueText } from "../../src/lab/simulate/report.ts";

const text = readFileSync(new URL("../../docs/simulation.md", import.meta.url), "utf8");

test("docs/simulation.md lists every fault and every bug, as `npm run simulate -- --catalogue` prints them", () => {
  const tables = catalogueText().split("\n\n");
  for (const table of tables) expect(text).toContain(table);
  const listed = [...text.matchAll(/^\| `(\w+)` +\|/gm)].map((m) => m[1]);
  expect(listed).toEqual([...CATALOGUE.map((f) => f.kind), ...PLANTS.map((p) => p.name)]);
});

test("names are unique, and there are as many as was promised", () => {
  expect(new Set(CATALOGUE.map((f) => f.kind)).size).toBe(CATALOGUE.length);
  expect(new Set(PLANTS.map((p) => p.name)).size).toBe(PLANTS.length);
  expect(CATALOGUE.length).toBeGreaterThanOrEqual(50);
  expect(PLANTS.length).toBeGreaterThanOrEqual(25);
});
