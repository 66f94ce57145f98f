import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, expect, test, vi } from "vitest";
import { drills } from "../lab/drill/index.ts";
import { run } from "./index.ts";

const folder = mkdtempSync(join(tmpdir(), "helius-cli-drill-"));
writeFileSync(join(folder, "something"), "");
afterAll(() => rmSync(folder, { recursive: true }));
afterEach(() => void vi.restoreAllMocks());

/** Runs a command line in this process; the signal says stop, so that nothing is started for long. */
async function helius(...argv: string[]) {
  let out = "";
  let err = "";
  vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    out += text;
    return true;
  });
  vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    err += text;
    return true;
  });
  const code = await run({
    argv: ["drill", ...argv],
    env: {},
    stop: AbortSignal.abort(),
    onReload: () => {},
  });
  vi.restoreAllMocks();
  return { code, out, err };
}

test.each([
  [[], "name a drill: mqtt-backpressure, "],
  [["earthquake"], 'no drill "earthquake"; there is: '],
  [["memory-leak", "mlflow-down"], 'unexpected argument "mlflow-down"'],
  [["memory-leak", "--heal=maybe"], '--heal must be both or on or off, not "maybe"'],
  [["memory-leak", "--heal", "on", "--heal", "off"], "--heal is given 2 times; give it once"],
  [["memory-leak", "--speed=0"], '--speed must be a number from 1 to 60, not "0"'],
  [["memory-leak", "--speed=61"], '--speed must be a number from 1 to 60, not "61"'],
  [["memory-leak", "--speed=fast"], '--speed must be a number from 1 to 60, not "fast"'],
  [["memory-leak", "--output=xml"], '--output must be table or json, not "xml"'],
  [["memory-leak", "--with=nagios"], '--with must be prometheus, not "nagios"'],
  [["memory-leak", "--keep="], "--keep needs a folder"],
  [["memory-leak", `--keep=${folder}`], `--keep: ${folder} is not empty`],
  [["memory-leak", "--sped=3"], "unknown flag --sped; see --help"],
])("%j is refused with exit code 2 and what would be right", async (argv, message) => {
  const { code, out, err } = await helius(...argv);
  expect(err).toContain(`helius drill: `);
  expect(err).toContain(message);
  expect([code, out]).toEqual([2, ""]);
});

test("the help names every drill and every flag with its default", async () => {
  const { code, out } = await helius("--help");
  expect(code).toBe(0);
  for (const { name, title } of drills) expect(out).toMatch(new RegExp(`^  ${name} +${title}`, "m"));
  for (const shown of [
    "--heal=<string>",
    "(default both)",
    "(default 30)",
    "--with=<string>",
    "--keep=<string>",
  ])
    expect(out).toContain(shown);
});
