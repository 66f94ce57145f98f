import { spawnSync } from "node:child_process";
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";

// The layers are held apart by Biome's rules (docs/architecture.md). Here small files that break them, and others
// that keep them, are laid under the real biome.json in a folder of their own, and Biome itself judges them.

const root = fileURLToPath(new URL("../../", import.meta.url));

interface Snippet {
  readonly path: string;
  readonly text: string;
  /** The rule that must speak; undefined: the file is fine. */
  readonly rule: string | undefined;
}

const IMPORTS = "lint/style/noRestrictedImports";
const GLOBALS = "lint/style/noRestrictedGlobals";
const PLUGIN = "plugin";

/** What each layer may import, and what it must not; from the rules of docs/architecture.md. */
const LAYERS: Record<string, { allowed: readonly string[]; forbidden: readonly string[] }> = {
  domain: {
    allowed: ["./time.ts"],
    forbidden: ["node:fs", "pino", "../policy/rules.ts", "../config/types.ts"],
  },
  forecast: {
    allowed: ["./other.ts", "../domain/time.ts"],
    forbidden: [
      "node:crypto",
      "pino",
      "prom-client",
      "simple-statistics",
      "../policy/rules.ts",
      "../loop/loop.ts",
    ],
  },
  policy: {
    allowed: ["./rules.ts", "../domain/time.ts"],
    forbidden: [
      "node:fs",
      "zod",
      "../forecast/linear/linear.ts",
      "../loop/loop.ts",
      "../sources/scrape/index.ts",
    ],
  },
  signals: {
    allowed: ["./memory/index.ts", "../domain/signal.ts"],
    forbidden: ["node:fs", "zod", "../config/types.ts", "../policy/rules.ts"],
  },
  loop: {
    allowed: ["./state.ts", "../domain/time.ts", "../policy/rules.ts", "../forecast/linear/linear.ts"],
    forbidden: [
      "node:fs",
      "undici",
      "../store/sqlite/index.ts",
      "../sources/scrape/index.ts",
      "../actions/service/index.ts",
      "../report/log.ts",
      "../app/monitor.ts",
    ],
  },
  sources: {
    allowed: ["undici", "../domain/time.ts"],
    forbidden: [
      "../actions/index.ts",
      "../store/records.ts",
      "../policy/rules.ts",
      "../loop/loop.ts",
      "../app/up.ts",
    ],
  },
  actions: {
    allowed: ["undici", "../domain/action.ts"],
    forbidden: [
      "../sources/shared/bounded-http.ts",
      "../store/records.ts",
      "../loop/loop.ts",
      "../http/server.ts",
    ],
  },
  escalation: {
    allowed: ["undici", "../domain/verification.ts"],
    forbidden: [
      "../actions/index.ts",
      "../policy/verify/index.ts",
      "../sources/shared/bounded-http.ts",
      "../loop/loop.ts",
      "../config/types.ts",
    ],
  },
  store: {
    allowed: ["node:sqlite", "../domain/store.ts"],
    forbidden: [
      "../sources/scrape/index.ts",
      "../actions/index.ts",
      "../loop/loop.ts",
      "../telemetry/logger.ts",
    ],
  },
  config: {
    allowed: [
      "zod",
      "../domain/target.ts",
      "../signals/index.ts",
      "../actions/kinds.ts",
      "../actions/http-call.ts",
    ],
    forbidden: [
      "../loop/loop.ts",
      "../app/monitor.ts",
      "../telemetry/logger.ts",
      "../services/registry.ts",
      "../actions/index.ts",
      "../actions/service/index.ts",
    ],
  },
  replay: {
    allowed: ["./score.ts", "../domain/time.ts", "../loop/loop.ts", "../policy/rules.ts"],
    forbidden: [
      "node:fs",
      "simple-statistics",
      "../store/memory/index.ts",
      "../app/replay.ts",
      "../config/types.ts",
    ],
  },
  drill: {
    allowed: ["undici", "../services/registry.ts", "../sources/scrape/parser.ts"],
    forbidden: [
      "../app/monitor.ts",
      "../loop/loop.ts",
      "../actions/index.ts",
      "../store/sqlite/index.ts",
      "../sources/scrape/index.ts",
      "../http/server.ts",
    ],
  },
  http: {
    allowed: ["express", "../domain/time.ts", "../security/gate.ts"],
    forbidden: ["../loop/loop.ts", "../store/sqlite/index.ts", "../app/monitor.ts", "../report/log.ts"],
  },
  report: {
    allowed: ["prom-client", "../domain/decision.ts", "../loop/types.ts", "../policy/explain.ts"],
    forbidden: [
      "../store/records.ts",
      "../sources/scrape/index.ts",
      "../http/server.ts",
      "../app/monitor.ts",
    ],
  },
  telemetry: {
    allowed: ["pino", "node:fs"],
    forbidden: ["../loop/loop.ts", "../services/registry.ts", "../config/types.ts", "../app/monitor.ts"],
  },
  security: {
    allowed: ["./tokens.ts", "node:crypto"],
    forbidden: [
      "../telemetry/logger.ts",
      "../domain/time.ts",
      "../services/registry.ts",
      "../http/server.ts",
      "../config/types.ts",
    ],
  },
  services: {
    allowed: ["express", "../telemetry/logger.ts", "../security/tokens.ts"],
    forbidden: ["../domain/time.ts", "../loop/loop.ts", "../config/types.ts", "../app/monitor.ts"],
  },
  cli: {
    allowed: ["node:util", "../app/monitor.ts", "../config/load.ts"],
    forbidden: [
      "../loop/loop.ts",
      "../store/sqlite/index.ts",
      "../sources/scrape/index.ts",
      "../http/server.ts",
    ],
  },
  app: {
    allowed: ["../loop/loop.ts", "../store/sqlite/index.ts", "../sources/scrape/index.ts"],
    forbidden: [],
  },
};

/** Layers without a clock, a network, randomness or an environment of their own. */
const PURE = ["domain", "forecast", "policy", "signals", "loop"];
const AMBIENT = {
  Date: "Date.now()",
  process: "process.env.HOME",
  setTimeout: "setTimeout(() => {}, 1)",
  setInterval: "setInterval(() => {}, 1)",
  fetch: 'fetch("http://127.0.0.1")',
  performance: "performance.now()",
  crypto: "crypto.randomUUID()",
};

const snippets: Snippet[] = [
  ...Object.entries(LAYERS).flatMap(([layer, { allowed, forbidden }]) => [
    ...allowed.map((name, n) => importing(layer, `allowed-${n}`, name, undefined)),
    ...forbidden.map((name, n) => importing(layer, `forbidden-${n}`, name, IMPORTS)),
    // One folder deeper a parent is a further `../` away.
    ...forbidden
      .filter((name) => name.startsWith("../"))
      .map((name, n) => importing(`${layer}/deeper`, `forbidden-${n}`, `../${name}`, IMPORTS)),
  ]),
  ...PURE.flatMap((layer) => [
    ...Object.entries(AMBIENT).map(([name, text]) => statement(layer, `ambient-${name}`, text, GLOBALS)),
    statement(layer, "ambient-random", "Math.random()", PLUGIN),
    statement(layer, "pure", "Math.sqrt(2)", undefined),
  ]),
  statement("services", "clock", "Date.now()", undefined),
  statement("store", "random", "Math.random()", undefined),
  file(
    "src/monitor/cycle/cycle-a.ts",
    'import { b } from "./cycle-b.ts";\n\nexport const a: () => number = () => b();\n',
    "lint/suspicious/noImportCycles",
  ),
  file(
    "src/monitor/cycle/cycle-b.ts",
    'import { a } from "./cycle-a.ts";\n\nexport const b: () => number = () => a();\n',
    "lint/suspicious/noImportCycles",
  ),
  // What the configuration reads of the actions is as pure as the core.
  file(
    "src/monitor/actions/kinds.ts",
    'import { request } from "undici";\n\nexport const used = request;\n',
    IMPORTS,
  ),
  file("src/monitor/store/enum.ts", "export enum Colour {\n  Red = 1,\n}\n", "lint/style/noEnum"),
  file("src/monitor/store/talks.ts", 'console.log("hello");\n', "lint/suspicious/noConsole"),
  file("src/monitor/store/long-file.ts", lines(401), "lint/style/noExcessiveLinesPerFile"),
  file("src/monitor/store/fitting-file.ts", lines(400), undefined),
  file(
    "src/monitor/store/long-function.ts",
    `export function long(): number {\n  let n = 0;\n${"  n += 1;\n".repeat(80)}  return n;\n}\n`,
    "lint/complexity/noExcessiveLinesPerFunction",
  ),
  file(
    "src/monitor/store/focused.test.ts",
    'import { expect, test } from "vitest";\n\ntest.only("x", () => {\n  expect(1).toBe(1);\n});\n',
    "lint/suspicious/noFocusedTests",
  ),
  file(
    "src/monitor/store/skipped.test.ts",
    'import { expect, test } from "vitest";\n\ntest.skip("x", () => {\n  expect(1).toBe(1);\n});\n',
    "lint/suspicious/noSkippedTests",
  ),
  // `toMatchObject` takes a regular expression for an object without keys, which anything matches.
  matching("pattern", "/x/", PLUGIN),
  matching("pattern-in-list", "[{ b: /x/ }]", PLUGIN),
  matching("string-matching", "expect.stringMatching(/x/)", undefined),
];

function file(path: string, text: string, rule: string | undefined): Snippet {
  return { path, text, rule };
}

function importing(folder: string, name: string, from: string, rule: string | undefined): Snippet {
  return file(
    `src/${folder}/${name}.ts`,
    `import * as it from "${from}";\n\nexport const used = it;\n`,
    rule,
  );
}

function statement(folder: string, name: string, text: string, rule: string | undefined): Snippet {
  return file(`src/${folder}/${name}.ts`, `export const value = () => ${text};\n`, rule);
}

function matching(name: string, wanted: string, rule: string | undefined): Snippet {
  const body = `  expect({ a: "y" }).toMatchObject({ a: ${wanted} });\n`;
  const head = 'import { expect, test } from "vitest";\n\n';
  return file(`src/monitor/store/${name}.test.ts`, `${head}test("x", () => {\n${body}});\n`, rule);
}

function lines(count: number): string {
  return Array.from({ length: count }, (_, n) => `export const v${n} = ${n};\n`).join("");
}

interface Diagnostic {
  readonly category: string;
  readonly severity: string;
  readonly location?: { readonly path?: string | { readonly file?: string } | null };
}

let folder = "";
const found = new Map<string, Diagnostic[]>();

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "helius-lint-"));
  for (const name of ["biome.json", ".gitignore", "package.json"])
    copyFileSync(join(root, name), join(folder, name));
  cpSync(join(root, "tools/lint"), join(folder, "tools/lint"), { recursive: true });
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  for (const { path, text } of snippets) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  const args = ["lint", "--reporter=json", "--max-diagnostics=none", "--diagnostic-level=error", "src"];
  const run = spawnSync(join(root, "node_modules/.bin/biome"), args, {
    cwd: folder,
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
  });
  expect(run.status, run.stderr).toBe(1);
  const { diagnostics, summary } = JSON.parse(run.stdout.slice(run.stdout.indexOf("{"))) as {
    diagnostics: Diagnostic[];
    summary: { unchanged?: number };
  };
  expect(summary.unchanged).toBe(snippets.length);
  for (const diagnostic of diagnostics) {
    const at = diagnostic.location?.path;
    const path = typeof at === "string" ? at : (at?.file ?? "");
    found.set(path, [...(found.get(path) ?? []), diagnostic]);
  }
}, 60_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("there are snippets that break a rule and snippets that keep it", () => {
  expect(new Set(snippets.map((s) => s.path)).size).toBe(snippets.length);
  expect(snippets.filter((s) => s.rule === undefined).length).toBeGreaterThan(30);
  expect(snippets.filter((s) => s.rule !== undefined).length).toBeGreaterThan(100);
});

test.each(snippets.filter((s) => s.rule !== undefined))(
  "$path is refused by $rule",
  ({ path, rule, text }) => {
    const categories = (found.get(path) ?? []).map((d) => d.category);
    expect(categories, text).toContain(rule);
  },
);

test.each(snippets.filter((s) => s.rule === undefined))("$path is accepted", ({ path, text }) => {
  expect(found.get(path) ?? [], text).toEqual([]);
});
