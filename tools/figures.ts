// `npm run figures`: non-test lines by room, the largest files, and who writes which part of the loop's state.
import { globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { textTable } from "../src/common/text/table.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const files = globSync("src/**/*.{ts,css}", { cwd: root })
  .filter((path) => !/\.(test|testkit)\.ts$/.test(path))
  .map((path) => ({ path, text: readFileSync(`${root}${path}`, "utf8") }))
  .map(({ path, text }) => ({ path, text, lines: text.split("\n").length - 1 }));

/** `src/monitor/cycle` for what lies in a room of the monitor, `src/services` elsewhere. */
const roomOf = (path: string) =>
  path
    .split("/")
    .slice(0, path.startsWith("src/monitor/") ? 3 : 2)
    .join("/");

const rooms = Object.entries(Object.groupBy(files, ({ path }) => roomOf(path)));
const sum = (of: typeof files) => of.reduce((n, { lines }) => n + lines, 0);
const row = (name: string, of: typeof files) => {
  const largest = of.toSorted((a, b) => b.lines - a.lines)[0];
  return [name, `${of.length}`, `${sum(of)}`, `${largest?.lines} ${largest?.path.split("/").at(-1)}`];
};
console.log(
  textTable([
    ["room", "files", "lines", "largest file"],
    ...rooms.map(([name, of = []]) => row(name, of)),
    row(
      "src/monitor in all",
      files.filter(({ path }) => path.startsWith("src/monitor/")),
    ),
  ]),
);

/** Each part of the loop's state, and what a write of it looks like. */
const WRITES: Readonly<Record<string, RegExp>> = {
  observe: /\bregions\.set\(/,
  forecast: /\brow\.(memory|lastSampleMonoMs|saved) =|as SeriesRow\)\.memory =|settledMonoMs\.set\(/,
  propose: /\bpropose\.(inbox|requests) =/,
  admit: /\badmit\.(guards|saved) =/,
  execute: /\b(actions\.(runs|unsaved|targets)\.(set|add|delete)\(|\w+\.(lastActionMonoMs|unresolved) =)/,
  verify: /\bverify\.(state|saved) =/,
};
const cycle = files.filter(({ path }) => path.startsWith("src/monitor/cycle/"));
console.log(
  `\n${textTable([
    ["state of the stage", "written by"],
    ...Object.entries(WRITES).map(([stage, write]) => [
      stage,
      cycle
        .filter(({ text }) => write.test(text))
        .map(({ path }) => path)
        .join(", "),
    ]),
  ])}`,
);
