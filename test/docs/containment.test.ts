import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("../../", import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), "utf8");

/** Members of a union of string literals, as the source declares it. */
function declared(source: string, type: string): string[] {
  const union = new RegExp(`type ${type} =([^;]+);`).exec(source)?.[1];
  if (union === undefined) throw new Error(`no type ${type}`);
  return [...union.matchAll(/"(\w+)"/g)].map((m) => m[1] as string).sort();
}

/** First cells of the table whose head begins with `head`. */
function listed(text: string, head: string): string[] {
  const table = text.split("\n\n").find((block) => block.startsWith(`| ${head} `));
  if (table === undefined) throw new Error(`no table ${head}`);
  return [...table.matchAll(/^\| `(\w+)` /gm)].map((m) => m[1] as string).sort();
}

test.each([
  ["rule", "RegionRule", 3],
  ["why none", "NoRegion", 3],
])("docs/containment.md explains exactly each %s of the choice of a region", (head, type, least) => {
  const reasons = declared(read("src/monitor/playbooks/regions/choose.ts"), type);
  expect(reasons.length).toBeGreaterThanOrEqual(least);
  expect(listed(read("docs/containment.md"), head)).toEqual(reasons);
});
