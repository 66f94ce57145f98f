import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { PLANTS } from "./plants/index.ts";

const MAIN = fileURLToPath(new URL("./main.ts", import.meta.url));

function simulate(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [MAIN, ...args], { maxBuffer: 2 ** 26 }, (error, out, err) => {
      const code = error === null ? 0 : Number(error.code ?? 1);
      resolve({ code, out, err });
    });
  });
}

function linesOf(out: string): Record<string, unknown>[] {
  return out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

test.each([
  { density: 4, seeds: 150, leastStruck: 100, twice: 25 },
  { density: 1, seeds: 20, leastStruck: 0, twice: 5 },
])(
  "no promise is broken: $seeds seeds, $density times as many faults as usual, each kind at least $leastStruck times",
  async ({ density, seeds, leastStruck, twice }) => {
    const size = ["--seeds", `${seeds}`, "--hours", "24", "--density", `${density}`];
    const { code, out, err } = await simulate(...size, "--twice", `${twice}`, "--output", "json");
    const [struck, last] = linesOf(out);
    const kinds = Object.entries(struck?.struck as Record<string, number>);
    const seldom = kinds.toSorted(([, a], [, b]) => a - b)[0];
    process.stdout.write(`figure simulation: ${JSON.stringify(last)}, least struck: ${seldom?.join(" ")}\n`);
    expect(last, err).toMatchObject({ seeds, hours: 24, violations: 0 });
    expect(kinds.filter(([, times]) => times < leastStruck)).toEqual([]);
    expect(code).toBe(0);
  },
);

test("JSON: how often each fault struck, then the summary; the same on a second run", async () => {
  const args = ["--seeds", "4", "--hours", "6", "--twice", "2", "--output", "json"];
  const [first, second] = await Promise.all([simulate(...args), simulate(...args)]);
  expect(second.out).toBe(first.out);
  const [struck, last] = linesOf(first.out);
  expect(Object.keys(struck?.struck as object).length).toBeGreaterThan(100);
  expect(Object.keys(last ?? {})).toEqual(["seeds", "hours", "violations", "fault_kinds", "trace_hash"]);
  expect(last).toMatchObject({ seeds: 4, hours: 6, violations: 0 });
  expect(last?.trace_hash).toMatch(/^[0-9a-f]{16}$/);
  expect(first.code, first.err).toBe(0);
});

test("every planted bug is caught, as a promise that it breaks", async () => {
  const { code, out, err } = await simulate("--plants", "--seeds", "60", "--output", "json");
  const { plants } = JSON.parse(out) as { plants: { plant: string; seed?: number; promise?: number }[] };
  expect(plants.map((found) => found.plant)).toEqual(PLANTS.map((plant) => plant.name));
  expect(plants.length).toBeGreaterThanOrEqual(25);
  expect(plants.filter(({ seed }) => seed === undefined)).toEqual([]);
  const unforeseen = plants.filter(({ promise }, at) => !PLANTS[at]?.breaks.includes(promise ?? 0));
  expect(unforeseen).toEqual([]);
  expect(code, err).toBe(0);
});

test("a seed that fails is told with a shortest list of events, and how to play it again", async () => {
  const args = ["--plant", "unknown_is_zero", "--seeds", "60"];
  const { code, out, err } = await simulate(...args, "--shrink", "12", "--lines", "5");
  expect(code, err).toBe(0);
  expect(out).toContain("promise 2 broken at");
  const again = /^ {2}npm run simulate -- (.*)$/m.exec(out)?.[1] ?? "";
  expect(again).toContain("--plant unknown_is_zero");
  expect((await simulate(...again.replaceAll('"', "").split(" "))).out).toContain("promise 2 broken at");
});

test("a wrong option is told of, with what would be right", async () => {
  const wrong = await simulate("--seeds", "many");
  expect([wrong.code, wrong.err]).toEqual([2, "--seeds must be a whole number from 1, not many\n"]);
  expect((await simulate("--events", "3")).code).toBe(2);
  expect((await simulate("--plant", "sampleProblem")).err).toContain("--plant must be one of");
  expect((await simulate("--seed", "1", "--events", "9999")).err).toContain("--events must list ids");
});
