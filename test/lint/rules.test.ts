import { spawnSync } from "node:child_process";
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { LAYERS } from "../../tools/lint/layers.ts";

// Small files that break a rule, and others that keep it, are laid under the real biome.json in a folder of their own,
// and Biome itself judges them. Who may import whom: layers.test.ts.

const root = fileURLToPath(new URL("../../", import.meta.url));

interface Snippet {
  readonly path: string;
  readonly text: string;
  /** The rule that must speak; undefined: the file is fine. */
  readonly rule: string | undefined;
}

const GLOBALS = "lint/style/noRestrictedGlobals";
const PLUGIN = "plugin";
const LONG_FUNCTION = "lint/complexity/noExcessiveLinesPerFunction";

/** Rooms that may import no package but the one that describes settings: no clock, network or randomness of their own. */
const PURE = Object.entries(LAYERS)
  .filter(([, { packages }]) => packages.every((name) => name === "zod"))
  .map(([room]) => room);
/** A room may be one file. */
const isFile = (room: string) => room.endsWith(".ts");
const AMBIENT = {
  process: "process.env.HOME",
  setTimeout: "setTimeout(() => {}, 1)",
  setInterval: "setInterval(() => {}, 1)",
  fetch: 'fetch("http://127.0.0.1")',
  performance: "performance.now()",
  crypto: "crypto.randomUUID()",
  console: 'console.log("hello")',
};

const snippets: Snippet[] = [
  ...PURE.filter(isFile).map((room) => file(`src/${room}`, "export const now = () => Date.now();\n", PLUGIN)),
  ...PURE.filter((room) => !isFile(room)).flatMap((room) => [
    ...Object.entries(AMBIENT).map(([name, text]) => statement(room, `ambient-${name}`, text, GLOBALS)),
    statement(room, "ambient-random", "Math.random()", PLUGIN),
    statement(room, "ambient-now", "Date.now()", PLUGIN),
    statement(room, "ambient-date", "new Date()", PLUGIN),
    statement(`${room}/deeper`, "ambient-now", "Date.now()", PLUGIN),
    statement(room, "given-date", "new Date(0).getTime() + Date.UTC(2026, 0)", undefined),
    statement(room, "pure", "Math.sqrt(2)", undefined),
    statement(room, "clock.test", "Date.now()", undefined),
    statement(room, "clock.testkit", "Date.now()", undefined),
  ]),
  statement("services", "clock", "Date.now()", undefined),
  statement("monitor/store", "random", "Math.random()", undefined),
  ...circle(
    (own, other) => `import { ${other} } from "./${other}.ts";\n\nexport const ${own} = () => ${other};\n`,
  ),
  // A circle of types is one, too.
  ...circle(
    (own, other) =>
      `import type { ${other} } from "./${other}-type.ts";\n\nexport type ${own} = ${other}[];\n`,
    "-type",
  ),
  file("src/monitor/store/enum.ts", "export enum Colour {\n  Red = 1,\n}\n", "lint/style/noEnum"),
  file("src/monitor/store/talks.ts", 'console.log("hello");\n', "lint/suspicious/noConsole"),
  file("src/monitor/store/long-file.ts", lines(401), "lint/style/noExcessiveLinesPerFile"),
  file("src/monitor/store/fitting-file.ts", lines(400), undefined),
  ...["src/monitor/store/long-function.ts", "src/lab/long-function.ts", "test/e2e/long-function.ts"].map(
    (path) => file(path, longFunction(), LONG_FUNCTION),
  ),
  file("src/lab/long-function.test.ts", longFunction(), undefined),
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

/** Two files that import each other. */
function circle(text: (own: string, other: string) => string, suffix = ""): Snippet[] {
  return [
    ["There", "Back"],
    ["Back", "There"],
  ].map(([own = "", other = ""]) =>
    file(`src/monitor/cycle/${own}${suffix}.ts`, text(own, other), "lint/suspicious/noImportCycles"),
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

function longFunction(): string {
  return `export function long(): number {\n  let n = 0;\n${"  n += 1;\n".repeat(80)}  return n;\n}\n`;
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
  const args = [
    "lint",
    "--reporter=json",
    "--max-diagnostics=none",
    "--diagnostic-level=error",
    "src",
    "test",
  ];
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
