import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

// docs/architecture.md shows a tick as a list of file:function; here it is held to the code.

const root = fileURLToPath(new URL("../../", import.meta.url));
const read = (path: string) => readFileSync(`${root}${path}`, "utf8");
const text = read("docs/architecture.md");

const [, list = ""] = /<!-- tick -->(.*)<!-- end of tick -->/s.exec(text) ?? [];
const hops = [...list.matchAll(/^(\d+)\. `([^`:]+):([^`]+)`/gm)].map(([, n, file, name]) => ({
  n: Number(n),
  file: file as string,
  name: name as string,
}));

test("each hop of the tick is a function of that file, and there are at most ten", () => {
  expect(hops.map(({ n }) => n)).toEqual(hops.map((_, i) => i + 1));
  expect(hops.length).toBeGreaterThan(6);
  expect(hops.length).toBeLessThanOrEqual(10);
  for (const { file, name } of hops)
    expect(read(file), `${file} exports ${name}`).toMatch(
      new RegExp(`^export (async )?function ${name}\\b`, "m"),
    );
});

test("the loop runs the stages in the order of the list", () => {
  const tick = read("src/monitor/cycle/tick.ts");
  const stages = hops.filter(
    ({ file }) => file !== "src/monitor/cycle/admit.ts" && !file.includes("/execute/"),
  );
  const places = stages
    .filter(({ name }) => name !== "settleRun")
    .map(({ name }) => tick.search(new RegExp(`\\b${name}\\(\\{? ?(state|ctx|\\.\\.\\.asked)`)));
  expect(places).not.toContain(-1);
  expect(places).toEqual(places.toSorted((a, b) => a - b));
});

test("admission is asked by what runs steps, and nowhere is an intent written but in call", () => {
  expect(read("src/monitor/cycle/execute/run.ts")).toMatch(/\badmit\(/);
  expect(read("src/monitor/cycle/execute/call.ts")).toMatch(/\brecordIntent\(/);
});

test("every path of the table of words exists", () => {
  const [, table = ""] = /## Words\n(.*?)\n## /s.exec(text) ?? [];
  const paths = [...table.matchAll(/`(src\/[^`]+)`/g)].map(([, path]) => path as string);
  expect(paths.length).toBeGreaterThan(10);
  for (const path of paths) expect(existsSync(`${root}${path}`), path).toBe(true);
});
