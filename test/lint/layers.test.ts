import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, posix } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { LAYERS, problemsOf } from "../../tools/lint/layers.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const rooms = Object.keys(LAYERS);
const { dependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  dependencies: Readonly<Record<string, string>>;
};
const packages = [...Object.keys(dependencies), "node:fs", "node:fs/promises", "node:crypto", "vitest"];

/** Each way to name a module; all of them count. */
const FORMS: Readonly<Record<string, (name: string) => string>> = {
  import: (name) => `import { it } from "${name}";`,
  "import in several lines": (name) => `import {\n  it,\n  type That,\n} from "${name}";`,
  "import of a type": (name) => `import type { It } from "${name}";`,
  "default import": (name) => `import it, * as all from "${name}";`,
  "import for its effect": (name) => `import "${name}";`,
  "export from": (name) => `export { it } from "${name}";`,
  "export in several lines": (name) => `export {\n  it,\n  that as other,\n} from "${name}";`,
  "export of all": (name) => `export * from "${name}";`,
  "export of a type": (name) => `export type { It } from "${name}";`,
  "import at run time": (name) => `const it = await import("${name}");`,
  "import at run time in several lines": (name) => `const it = import(\n  "${name}"\n);`,
  "type taken from a module": (name) => `type It = typeof import("${name}");`,
  resolve: (name) => `const it = import.meta.resolve("${name}");`,
};
const WORKER = (name: string) => `new Worker(\n  new URL("${name}", import.meta.url),\n);`;

const fileIn = (room: string, name: string) => (room.endsWith(".ts") ? room : `${room}/${name}`);
const between = (from: string, to: string) => {
  const path = posix.relative(posix.dirname(from), to);
  return path.startsWith(".") ? path : `./${path}`;
};
const allows = (allowed: readonly string[], name: string) =>
  allowed.includes(name) || allowed.some((a) => a.endsWith("*") && name.startsWith(a.slice(0, -1)));

/** The forms in which that file may name the other one. */
function accepted(path: string, name: string): string[] {
  const forms = name.startsWith(".") ? { ...FORMS, worker: WORKER } : FORMS;
  return Object.keys(forms).filter(
    (form) => problemsOf(path, `const a = 1;\n${forms[form]?.(name)}\n`).length === 0,
  );
}

test.each(rooms)("%s imports the rooms of its list, in every form, and no other", (room) => {
  const all = [...Object.keys(FORMS), "worker"];
  const late = all.filter((form) => form === "worker" || /run time|type taken|resolve/.test(form));
  for (const deeper of ["", "deeper/"]) {
    const path = fileIn(room, `${deeper}probe.ts`);
    const seen = rooms
      .filter((other) => other !== room)
      .map((other) => [other, accepted(path, between(path, fileIn(other, `${deeper}thing.ts`)))]);
    const right = rooms
      .filter((other) => other !== room)
      .map((other) => [
        other,
        allows(LAYERS[room]?.rooms ?? [], other) ? all : LAYERS[room]?.late?.includes(other) ? late : [],
      ]);
    expect(seen).toEqual(right);
  }
  const own = fileIn(room, "probe.ts");
  expect(accepted(own, between(own, fileIn(room, "shared/thing.ts")))).toEqual(all);
});

test.each(rooms)("%s imports the packages of its list, in every form, and no other", (room) => {
  const path = fileIn(room, "probe.ts");
  const { packages: listed = [] } = LAYERS[room] ?? {};
  const right = packages.map((name) => [name, allows(listed, name) ? Object.keys(FORMS) : []]);
  expect(packages.map((name) => [name, accepted(path, name)])).toEqual(right);
  for (const name of listed.filter((p) => !p.endsWith("*")))
    expect(accepted(path, `${name}/part/of/it.js`)).toEqual(Object.keys(FORMS));
});

test("a folder in no room, and what lies outside src, is refused", () => {
  for (const path of ["elsewhere/a.ts", "monitor/elsewhere/a.ts", "monitor/kernelling/a.ts", "a.ts"])
    expect(problemsOf(path, "export {};\n")).toMatchObject([{ file: `src/${path}`, line: 1 }]);
  for (const room of rooms.filter((r) => r !== "lab")) {
    const path = fileIn(room, "probe.ts");
    expect(accepted(path, between(path, "../tools/sbom.ts"))).toEqual([]);
    expect(accepted(path, between(path, "elsewhere/a.ts"))).toEqual([]);
  }
});

test("only the laboratory imports what is there for tests", () => {
  for (const room of rooms)
    for (const name of ["world.testkit.ts", "world.test.ts"])
      expect(
        accepted(fileIn(room, "probe.ts"), between(fileIn(room, "probe.ts"), fileIn(room, "") + name)),
      ).toEqual(room === "lab" ? [...Object.keys(FORMS), "worker"] : []);
});

test.each(["sources", "actions", "store", "notify"])("adapters of %s see no other beside them", (kind) => {
  const path = `monitor/${kind}/one/index.ts`;
  expect(accepted(path, "../two/index.ts")).toEqual([]);
  for (const name of ["./part.ts", "../shared/part.ts", "../types.ts"])
    expect(accepted(path, name)).toContain("import");
  // What lists them sees them all.
  expect(accepted(`monitor/${kind}/index.ts`, "./two/index.ts")).toContain("import");
});

test("the lists keep the rules of the house", () => {
  const seenBy = (room: string) => rooms.filter((r) => r !== room && allows(LAYERS[r]?.rooms ?? [], room));
  const sees = (room: string) => rooms.filter((r) => r !== room && allows(LAYERS[room]?.rooms ?? [], r));
  const within = (folder: string) => rooms.filter((r) => r.startsWith(folder));
  expect(LAYERS["monitor/kernel"]).toEqual({ rooms: [], packages: [] });
  for (const room of ["forecast", "rules"]) expect(sees(`monitor/${room}`)).toEqual(["monitor/kernel"]);
  // What describes settings is as pure.
  for (const room of ["signals", "guards"])
    expect(sees(`monitor/${room}`)).toEqual(["common/settings", "monitor/kernel"]);
  const adapters = ["sources", "actions", "store", "notify"].map((r) => `monitor/${r}`);
  for (const room of adapters)
    for (const seen of sees(room)) expect(["monitor/kernel", ...within("common/")]).toContain(seen);
  // Ports only: no adapter, nothing that shows or wires.
  for (const room of [
    ...adapters,
    ...["report", "web", "config", "app", "replay"].map((r) => `monitor/${r}`),
  ])
    expect(sees("monitor/cycle")).not.toContain(room);
  expect(seenBy("monitor/app").sort()).toEqual(["cli", "lab"]);
  // The laboratory may be missing: only what is missing with it imports it.
  expect(seenBy("lab")).toEqual(["cli/drill.ts"]);
  expect(seenBy("cli/drill.ts")).toEqual([]);
  expect(rooms.filter((room) => LAYERS[room]?.late !== undefined)).toEqual(["cli"]);
  for (const room of within("monitor/"))
    expect(sees(room).filter((r) => !/^(monitor|common)\//.test(r))).toEqual([]);
  expect(sees("services").filter((r) => r !== "main.ts")).toEqual(within("common/"));
  for (const room of within("common/"))
    expect(sees(room).filter((r) => !r.startsWith("common/"))).toEqual([]);
});

test("the program names file, line and what would be right, and fails", () => {
  const folder = mkdtempSync(join(tmpdir(), "helius-layers-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  };
  const run = () =>
    spawnSync(process.execPath, [join(root, "tools/lint/layers.ts"), folder], { encoding: "utf8" });
  write("src/monitor/forecast/fine.ts", 'import type { Instant } from "../kernel/time.ts";\n');
  write("src/monitor/forecast/broken.test.ts", 'import "../app/monitor.ts";\n');
  expect(run()).toMatchObject({ status: 0, stderr: "" });
  write("src/monitor/forecast/broken.ts", 'import {\n  readFileSync,\n} from "node:fs";\n');
  expect(run()).toMatchObject({
    status: 1,
    stderr:
      "src/monitor/forecast/broken.ts:3: monitor/forecast may not import node:fs; it may import no package\n",
  });
});
