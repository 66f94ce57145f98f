import { spawn } from "node:child_process";
import { cpSync, globSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { inRepository, readRepository } from "../containers/compose.ts";
import { requireServer } from "../setup/require-server.ts";
import { type Mutant, mutantsOf } from "./mutants.ts";
import { type AlertRule, prometheusAlerts } from "./rules.ts";

// The unit tests of the rules are only worth something if they notice a wrong rule: each alert is spoilt in every way
// that matters, and its tests must fail.

interface Tests {
  readonly rule_files: readonly string[];
  readonly tests: readonly unknown[];
}

interface Rules {
  readonly groups: readonly {
    readonly name: string;
    readonly rules: readonly { readonly alert?: string }[];
  }[];
}

/** The blocks of the unit tests that name an alert, those that name the fewest others first. */
function testsOf({ alert, file }: AlertRule): Tests {
  const all = parse(readRepository(file.replace("/rules/", "/tests/"))) as Tests;
  const named = (block: unknown) => {
    const text = stringify(block);
    return prometheusAlerts.filter((rule) => text.includes(rule.alert)).length;
  };
  const tests = all.tests.filter((block) => stringify(block).includes(alert));
  return { ...all, tests: tests.sort((a, b) => named(a) - named(b)) };
}

/** The rule file of an alert with that rule in place of its own, and without the alerts that these tests do not name. */
function withRule(rule: AlertRule, tests: Tests): Rules {
  const original = parse(readRepository(rule.file)) as Rules;
  const { file: _, ...written } = rule;
  const named = stringify(tests);
  const groups = original.groups.map((group) => ({
    ...group,
    rules: group.rules
      .filter((r) => named.includes(r.alert ?? ""))
      .map((r) => (r.alert === rule.alert ? written : r)),
  }));
  return { groups };
}

/** Whether a rule, sound or spoilt, passes these tests. */
async function passes(promtool: string, rule: AlertRule, tests: Tests): Promise<boolean> {
  const folder = mkdtempSync(join(tmpdir(), "helius-rules-"));
  try {
    for (const name of ["rules", "tests"]) mkdirSync(join(folder, name));
    for (const file of globSync("prometheus/rules/*.yml", { cwd: inRepository(".") }))
      cpSync(inRepository(file), join(folder, "rules", basename(file)));
    writeFileSync(join(folder, "rules", basename(rule.file)), stringify(withRule(rule, tests)));
    writeFileSync(join(folder, "tests/one.yml"), stringify(tests));
    // Short runs: collecting garbage would be half of the work.
    const env = { ...process.env, GOGC: "off", GOMEMLIMIT: "512MiB", GOMAXPROCS: "1" };
    const child = spawn(promtool, ["test", "rules", "tests/one.yml"], { cwd: folder, env, stdio: "ignore" });
    const code = await new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("exit", resolve);
    });
    return code === 0;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Whether a spoilt rule passes all of its tests. Most fail the first block, so that the others need not be run. */
async function goesUnnoticed(promtool: string, { rule }: Mutant): Promise<boolean> {
  const { tests, ...rest } = testsOf(rule);
  for (const block of tests) if (!(await passes(promtool, rule, { ...rest, tests: [block] }))) return false;
  return true;
}

test("every spoilt alert fails its unit tests, and every sound one passes them", async (context) => {
  const promtool = requireServer("promtool", context);
  const unnoticed: string[] = [];
  const jobs = prometheusAlerts.flatMap((rule) => [
    async () => {
      if (!(await passes(promtool, rule, testsOf(rule)))) unnoticed.push(`${rule.alert}: sound, and fails`);
    },
    ...mutantsOf(rule).map((mutant) => async () => {
      if (await goesUnnoticed(promtool, mutant)) unnoticed.push(`${rule.alert}: ${mutant.what}`);
    }),
  ]);
  expect(jobs.length).toBeGreaterThan(200);
  const worker = async () => {
    for (let job = jobs.shift(); job !== undefined; job = jobs.shift()) await job();
  };
  await Promise.all([worker(), worker()]);
  expect(unnoticed).toEqual([]);
}, 600_000);
