// Which room may import which, and which packages: an allow-list. What is not in the table is refused.
// `node tools/lint/layers.ts [FOLDER]` prints file:line and what would be right, and exits 1.
import { globSync, readFileSync } from "node:fs";
import { dirname, join, posix, relative } from "node:path";
import { fileURLToPath } from "node:url";

interface Layer {
  /** Other rooms that it may import, `*` for every one below a folder. */
  readonly rooms: readonly string[];
  /** Packages, `node:*` for the built-in ones, `*` for all. */
  readonly packages: readonly string[];
  /** Rooms that may be missing from an installation: named by `import()` and `new URL()` only. */
  readonly late?: readonly string[];
  /** Whether it may import what is there for tests: their kits, and modules outside `src`. */
  readonly testing?: boolean;
}

const PURE = ["monitor/kernel"];
/** What a plug-in's descriptor is written with. */
const DESCRIPTOR = [...PURE, "common/settings"];

/** Docs: docs/architecture.md. A room is the longest entry that a file's path below `src` begins with. */
export const LAYERS: Readonly<Record<string, Layer>> = {
  "main.ts": { rooms: ["cli"], packages: ["node:*"] },
  cli: {
    rooms: ["monitor/app", "monitor/config", "monitor/report", "monitor/kernel", "services", "common/*"],
    packages: ["node:*"],
    late: ["cli/drill.ts"],
  },
  // Not in the image, with all that it imports.
  "cli/drill.ts": { rooms: ["cli", "lab"], packages: ["node:*"] },
  "common/disk": { rooms: [], packages: ["node:*"] },
  "common/net": { rooms: [], packages: ["node:*", "undici"] },
  "common/promql": { rooms: [], packages: ["@prometheus-io/lezer-promql", "@lezer/common"] },
  "common/settings": { rooms: [], packages: ["zod"] },
  "common/security": { rooms: ["common/net"], packages: ["node:*", "ipaddr.js"] },
  "common/text": { rooms: [], packages: [] },
  "common/telemetry": { rooms: [], packages: ["node:*", "pino", "pino-pretty", "prom-client"] },
  "monitor/kernel": { rooms: [], packages: [] },
  "monitor/forecast": { rooms: PURE, packages: [] },
  "monitor/signals": { rooms: DESCRIPTOR, packages: ["zod"] },
  "monitor/rules": { rooms: PURE, packages: [] },
  "monitor/guards": { rooms: DESCRIPTOR, packages: ["zod"] },
  "monitor/alerts": { rooms: PURE, packages: ["zod"] },
  "monitor/verify": { rooms: PURE, packages: ["zod"] },
  "monitor/playbooks": { rooms: [...PURE, "monitor/rules"], packages: ["zod"] },
  "monitor/cycle": {
    rooms: ["kernel", "forecast", "rules", "guards", "playbooks", "alerts", "verify"].map(
      (r) => `monitor/${r}`,
    ),
    packages: [],
  },
  "monitor/sources": {
    rooms: [...DESCRIPTOR, "common/net", "common/promql"],
    packages: ["node:*", "prometheus-query", "undici", "cockatiel", "zod"],
  },
  "monitor/actions": {
    rooms: [...DESCRIPTOR, "common/net"],
    packages: ["node:*", "@kubernetes/client-node", "undici", "zod"],
  },
  "monitor/notify": {
    rooms: [...DESCRIPTOR, "common/net"],
    packages: ["node:*", "undici", "cockatiel", "zod"],
  },
  "monitor/store": { rooms: [...DESCRIPTOR, "common/disk"], packages: ["node:*", "zod"] },
  "monitor/replay": {
    rooms: [...PURE, "monitor/cycle", "monitor/forecast", "monitor/rules", "common/text"],
    packages: [],
  },
  "monitor/report": {
    rooms: [
      ...PURE,
      "monitor/cycle",
      "monitor/guards",
      "monitor/playbooks",
      "monitor/rules",
      "common/telemetry",
    ],
    packages: ["prom-client"],
  },
  "monitor/config": {
    rooms: [
      ...DESCRIPTOR,
      "monitor/forecast",
      "monitor/signals",
      "monitor/sources",
      "monitor/actions",
      "monitor/guards",
      "monitor/notify",
      "monitor/store",
      "common/promql",
      "common/security",
    ],
    packages: ["node:*", "yaml", "zod"],
  },
  // What is sent, for both ends: derived from the reports, and of no weight at run time.
  "monitor/report/wire.ts": { rooms: ["monitor/report"], packages: [] },
  "monitor/web": {
    rooms: [...PURE, "monitor/report/wire.ts", "common/*"],
    packages: ["node:*", "express", "prom-client", "zod"],
  },
  // It runs in the browser, where only its own files are: the others are there for their types.
  "monitor/web/page": { rooms: ["monitor/report/wire.ts", "monitor/replay"], packages: ["uplot"] },
  "monitor/app": { rooms: ["monitor/*", "common/*"], packages: ["node:*", "pino", "prom-client", "undici"] },
  // Both start `main.ts` as a process of its own.
  services: { rooms: ["common/*", "main.ts"], packages: ["*"] },
  lab: { rooms: ["monitor/*", "services", "common/*", "main.ts"], packages: ["*"], testing: true },
};

/** Rooms whose folders are adapters: they see `shared` beside them, never each other. */
const ADAPTERS = ["monitor/sources", "monitor/actions", "monitor/store", "monitor/notify"];

const ROOMS = Object.keys(LAYERS).sort((a, b) => b.length - a.length);
const roomOf = (path: string) => ROOMS.find((room) => path === room || path.startsWith(`${room}/`));
const covers = (allowed: readonly string[], name: string) =>
  allowed.some((a) => a === name || (a.endsWith("*") && name.startsWith(a.slice(0, -1))));

export interface Problem {
  readonly file: string;
  readonly line: number;
  readonly message: string;
}

/** Any import or export of a module, `import()`, and the file that a thread or a process is started from. */
const NAMED =
  /(?:^(?:import|export)\b[\w\s{},*$]*?\bfrom\s+|^import\s+|\b(?:import|import\.meta\.resolve|require)\(\s*|\bnew URL\(\s*(?=["'`]\.[^"'`]*\.[jt]s["'`],\s*import\.meta\.url))(["'`])([^"'`]+)\1/gm;

interface Import {
  readonly named: string;
  readonly line: number;
  /** Whether only at run time. */
  readonly late: boolean;
}

/** What a file names of other modules, types included. */
export function importsOf(text: string): Import[] {
  return [...text.matchAll(NAMED)].map((match) => ({
    named: match[2] as string,
    line: text.slice(0, match.index + match[0].length).split("\n").length,
    late: match[0].includes("("),
  }));
}

/** What one file imports that its room may not. @param path below `src`, with `/`. */
export function problemsOf(path: string, text: string): Problem[] {
  const room = roomOf(path);
  const file = `src/${path}`;
  if (room === undefined)
    return [{ file, line: 1, message: "no room: name it in tools/lint/layers.ts with what it may import" }];
  return importsOf(text).flatMap(({ named, line, late }) => {
    const message = named.startsWith(".")
      ? moduleProblem({ room, path, to: posix.join(posix.dirname(path), named), late })
      : packageProblem(room, named);
    return message === undefined ? [] : [{ file, line, message }];
  });
}

function packageProblem(room: string, named: string): string | undefined {
  const { packages } = LAYERS[room] as Layer;
  const name = named.split("/", named.startsWith("@") ? 2 : 1).join("/");
  if (covers(packages, name)) return undefined;
  return `${room} may not import ${name}; it may import ${packages.join(", ") || "no package"}`;
}

function moduleProblem(found: { room: string; path: string; to: string; late: boolean }): string | undefined {
  const { room, path, to } = found;
  const { rooms, late = [], testing } = LAYERS[room] as Layer;
  if (!testing && !isProduct(to)) return `${room} may not import ${to}, which is there for tests only`;
  const other = roomOf(to);
  if (other === room) {
    const mine = folderIn(room, path);
    const theirs = folderIn(room, to) ?? mine;
    if (!ADAPTERS.includes(room) || mine === undefined || theirs === mine || theirs === "shared")
      return undefined;
    return `${room}/${mine} may not import ${room}/${theirs}: adapters do not know each other`;
  }
  if (other === undefined ? testing && to.startsWith("../") : covers(rooms, other)) return undefined;
  if (found.late && other !== undefined && late.includes(other)) return undefined;
  return `${room} may not import ${other ?? to}; it may import ${rooms.join(", ") || "nothing"}`;
}

function folderIn(room: string, path: string): string | undefined {
  const [folder, file] = path.slice(room.length + 1).split("/");
  return file === undefined ? undefined : folder;
}

const isProduct = (path: string) => !/\.test(kit)?\.ts$/.test(path);

/** Every such import below `root`/src. */
export function layerProblems(root: string): Problem[] {
  return globSync("src/**/*.ts", { cwd: root })
    .map((path) => relative("src", path).replaceAll("\\", "/"))
    .filter(isProduct)
    .sort()
    .flatMap((path) => problemsOf(path, readFileSync(join(root, "src", path), "utf8")));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const root = process.argv[2] ?? join(dirname(fileURLToPath(import.meta.url)), "../..");
  const problems = layerProblems(root);
  for (const { file, line, message } of problems) console.error(`${file}:${line}: ${message}`);
  if (problems.length > 0) process.exitCode = 1;
}
