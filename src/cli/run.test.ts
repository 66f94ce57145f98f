import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, it, vi } from "vitest";
import { bindings } from "../monitor/config/bindings.ts";
import { stopped } from "./command.ts";
import { run } from "./index.ts";

const folder = mkdtempSync(join(tmpdir(), "helius-cli-"));
afterAll(() => rmSync(folder, { recursive: true }));
afterEach(() => void vi.restoreAllMocks());

/** Runs a command line in this process; nothing here starts a server. */
async function helius(argv: string[], env: Record<string, string> = {}) {
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
  const code = await run({ argv, env, stop: AbortSignal.abort(), onReload: () => {} });
  vi.restoreAllMocks();
  return { code, out, err };
}

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

describe("helius", () => {
  it.each(["help", "--help", "-h"])("%s lists the commands and exits 0", async (arg) => {
    const { code, out } = await helius([arg]);
    expect(code).toBe(0);
    for (const name of ["up", "monitor", "service", "check-config"])
      expect(out).toMatch(new RegExp(`^  ${name} `, "m"));
  });

  it("without a command shows the same and exits 2", async () => {
    expect(await helius([])).toMatchObject({ code: 2, out: expect.stringContaining("helius COMMAND") });
  });

  it.each(["version", "--version"])("%s names version and revision", async (arg) => {
    const { code, out } = await helius([arg], { HELIUS_REVISION: "abc123" });
    expect([code, out]).toEqual([0, expect.stringMatching(/^helius \d+\.\d+\.\d+ \(abc123\)\n$/)]);
  });

  it("refuses an unknown command with exit code 2, on standard error", async () => {
    const { code, out, err } = await helius(["mointor"]);
    expect([code, out]).toEqual([2, ""]);
    expect(err).toContain('unknown command "mointor"');
  });

  it.each(["monitor", "up", "service", "check-config"])(
    "%s --help exits 0 and starts nothing",
    async (name) => {
      const { code, out, err } = await helius([name, "--sampleProblem", "--help"]);
      expect([code, err]).toEqual([0, ""]);
      expect(out).toMatch(new RegExp(`^helius ${name}`));
      expect(out).not.toMatch(/undefined|NaN/);
    },
  );

  it("monitor --help shows every flag with its default and its variable", async () => {
    const lines = (await helius(["monitor", "--help"])).out.split("\n");
    for (const b of bindings) {
      const line = lines.find((l) => new RegExp(`^ {2}--${b.path.replaceAll("_", "-")}(=| )`).test(l));
      expect(line, b.path).toContain(b.help);
      if (b.shownDefault !== "") expect(line).toContain(`default ${b.shownDefault}`);
      if (b.env !== undefined) expect(line).toContain(`$${b.env}`);
    }
  });

  it.each([
    [["monitor", "--nope"], "helius monitor: unknown flag --nope; see --help\n"],
    [["up", "--load.rate=0"], 'helius up: --load.rate must be above 0 up to 1000, not "0"\n'],
    [["up", "--load.rate=many"], 'helius up: --load.rate must be above 0 up to 1000, not "many"\n'],
    [["up", "--log.format=xml"], "helius up: --log.format must be json or pretty\n"],
    [
      ["up", "--product-api.listen-address=:0"],
      'helius up: --product-api.listen-address must be host:port, port 1 to 65535, not ":0"\n',
    ],
    [["service"], /^helius service: name a service: product-api/],
    [["service", "nope"], /^helius service: no service "nope"; there is: product-api/],
    [["service", "product-api", "extra"], 'helius service: unexpected argument "extra"\n'],
    [["check-config"], "helius check-config: name the file to check\n"],
    [["check-config", "a", "b"], 'helius check-config: unexpected argument "b"\n'],
  ] as const)("%j is a wrong command line: exit code 2", async (argv, expected) => {
    const { code, out, err } = await helius([...argv]);
    expect([code, out]).toEqual([2, ""]);
    if (typeof expected === "string") expect(err).toBe(expected);
    else expect(err).toMatch(expected);
  });

  it("monitor with a bad configuration exits 1 with its problems, and no stack", async () => {
    const path = file("bad.yml", "predict: { min_r2: 7 }\n");
    const { code, err } = await helius(["monitor", `--config.file=${path}`, "--web.port=x"]);
    expect(code).toBe(1);
    expect(err.split("\n")).toEqual([
      "--web.port: web.port must be a whole number from 0 up to 65535 (a TCP port)",
      `${path}:1:12: predict.min_r2 must be a number from 0 up to 1 (a share)`,
      "",
    ]);
  });
});

describe("helius check-config", () => {
  it("sums up what a good file comes to, environment included, and exits 0", async () => {
    const path = file(
      "good.yml",
      "targets:\n  - {name: shop, urls: ['http://a:1', 'http://b:2'], auto_heal: false, cooldown_seconds: 9}\n",
    );
    const { code, out, err } = await helius(["check-config", path], { SLO_P95_MS: "250", AUTO_HEAL: "0" });
    expect([code, err]).toEqual([0, ""]);
    expect(out.split("\n").slice(0, 7)).toEqual([
      `${path}: valid`,
      "cycle 30 s, horizon 180 s, shadow mode",
      "sources: prometheus, then scrape; rates over 60 s",
      "guards: at most 4 in 3600 s on a target, 10 in 600 s over all; escalations go to the log and the status page only",
      "target shop (job shop, http://a:1, http://b:2; job; cooldown 9 s; shadow)",
      "  watched only: nothing is allowed to heal it",
      "  p95_latency  exit 225  slo 250  limit 5000  ms",
    ]);
  });

  it("has one line a problem, with its place, and exits 1", async () => {
    const path = file("wrong.yml", "auto_heal: 7\ntargets: []\n");
    const { code, out, err } = await helius(["check-config", path]);
    expect([code, out]).toEqual([1, ""]);
    expect(err).toBe(
      `${path}:1:1: auto_heal must be true or false\n${path}:2:1: targets must list at least one target\n`,
    );
  });

  it("of a file that is not there exits 1 and names it", async () => {
    const path = join(folder, "none.yml");
    expect(await helius(["check-config", path])).toEqual({
      code: 1,
      out: "",
      err: `${path}: no such file\n`,
    });
  });

  it("accepts the configurations that are shipped", async () => {
    for (const name of ["helius.yml", "up.yml"])
      expect(await helius(["check-config", `config/${name}`])).toMatchObject({ code: 0, err: "" });
  });
});

describe("stopped", () => {
  it("resolves when the process is told to stop, or was already", async () => {
    await stopped(AbortSignal.abort());
    const stop = new AbortController();
    let over = false;
    const waiting = stopped(stop.signal).then(() => {
      over = true;
    });
    await new Promise(setImmediate);
    expect(over).toBe(false);
    stop.abort();
    await waiting;
    expect(over).toBe(true);
  });
});
