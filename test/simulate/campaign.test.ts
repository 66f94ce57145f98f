import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, inject, test } from "vitest";
import { waitFor } from "../setup/ports.ts";
import { SEEDS } from "./campaign.ts";

/** Strikes of the rarest kind of fault. */
const LEAST = 10;

test("days of faults: no promise is broken, every kind of fault strikes often, every tenth day repeats", async () => {
  const folder = inject("campaign");
  const read = (name: string) => readFileSync(join(folder, name), "utf8");
  await waitFor(() => existsSync(join(folder, "code")), {
    what: "the end of the campaign",
    timeoutMs: 900_000,
    everyMs: 500,
  });
  const [struck, last] = read("out")
    .trim()
    .split("\n")
    .slice(-2)
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  process.stdout.write(`figure simulation: ${JSON.stringify(last)}\n`);
  expect(last, read("out") + read("err")).toMatchObject({ seeds: SEEDS, hours: 24, violations: 0 });
  const kinds = Object.entries(struck?.struck as Record<string, number>);
  expect(kinds.filter(([, times]) => times < LEAST)).toEqual([]);
  expect(last?.fault_kinds).toBe(kinds.length);
  expect(read("code")).toBe("0");
});
