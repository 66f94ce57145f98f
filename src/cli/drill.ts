import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { Drill } from "../lab/drill/drill.ts";
import { figuresOf } from "../lab/drill/figures.ts";
import { type Goal, nothingLost, type Result } from "../lab/drill/goal.ts";
import { drills } from "../lab/drill/index.ts";
import { runObject } from "../lab/drill/json.ts";
import { type Heal, type Pace, paceOf, SPEEDS } from "../lab/drill/pace.ts";
import type { Recording } from "../lab/drill/recording.ts";
import { type DrillProgress, runDrill } from "../lab/drill/run/run.ts";
import { renderDrill } from "../lab/drill/table.ts";
import { type Command, UsageError } from "./command.ts";
import { describeFlags, type Flag, readFlags } from "./flags.ts";

const HEAL = ["both", "on", "off"] as const;
const OUTPUT = ["table", "json"] as const;

const flags: readonly Flag[] = [
  flag("heal", "both", "on: the monitor heals; off: it decides and calls nobody; both: one after the other"),
  flag(
    "speed",
    String(SPEEDS.usual),
    `how many times faster than a real installation, ${SPEEDS.least} to ${SPEEDS.most}`,
  ),
  flag("output", "table", "table for people, json for programs (one object a run)"),
  flag("with", "", "prometheus: the installed Prometheus and Alertmanager in the loop"),
  flag(
    "keep",
    "",
    "new folder that keeps data, logs and configuration of each run; default: nothing is kept",
  ),
];

function flag(name: string, shownDefault: string, help: string): Flag {
  return { name, kind: "string", shownDefault, help };
}

const width = Math.max(...drills.map(({ name }) => name.length)) + 2;

export const drillCommand: Command = {
  name: "drill",
  help: () =>
    `helius drill NAME [flags]

Starts what it needs on loopback, stages an incident under real traffic, and prints how long it took to detect, to
contain and to recover, and what customers and devices noticed. NAME is one of:

${drills.map(({ name, title }) => `  ${name.padEnd(width)}${title}`).join("\n")}
  ${"all".padEnd(width)}one after the other

Ctrl-C stops everything; nothing is left behind. What each drill does: docs/incidents.

Exits 0 when every goal was reached, 1 when one was not or the drill could not run, 2 when the command line is wrong.

${describeFlags(flags)}`,
  async run({ args, stop }) {
    const { values, positionals } = readFlags(args, flags, 1);
    const chosen = chosenDrills(positionals[0]);
    const heal = choice(values, "heal", HEAL);
    const output = choice(values, "output", OUTPUT);
    const pace = paceFrom(values.speed ?? String(SPEEDS.usual));
    const prometheus = withPrometheus(values.with);
    const { keep } = values;
    if (keep === "") throw new UsageError("--keep needs a folder");
    // A monitor that finds the state of an earlier run is not the one of the drill.
    if (keep !== undefined && existsSync(keep) && readdirSync(keep).length > 0)
      throw new UsageError(`--keep: ${keep} is not empty`);
    let reached = true;
    try {
      for (const drill of chosen) {
        const recordings: Recording[] = [];
        for (const way of waysOf(drill, heal)) {
          const folder = keep === undefined ? undefined : join(keep, `${drill.name}-${way}`);
          if (folder !== undefined) mkdirSync(folder, { recursive: true });
          const watch = watcher(drill, way, output);
          const recording = await runDrill({
            drill,
            heal: way,
            pace,
            prometheus,
            folder,
            stop,
            ...watch,
          }).finally(watch.end);
          recordings.push(recording);
          if (output === "json") process.stdout.write(`${JSON.stringify(runObject(recording))}\n`);
        }
        const goals = goalsOf(drill, recordings);
        if (output === "table") process.stdout.write(`${renderDrill(recordings, goals)}\n`);
        reached &&= goals.every((goal) => goal.reached);
      }
    } catch (error) {
      if (!stop.aborted) throw error;
      process.stderr.write("helius drill: interrupted, everything is stopped\n");
      return 130;
    }
    return reached ? 0 : 1;
  },
};

function chosenDrills(name: string | undefined): readonly Drill[] {
  const names = drills.map((drill) => drill.name);
  if (name === undefined) throw new UsageError(`name a drill: ${names.join(", ")} or all`);
  if (name === "all") return drills;
  const found = drills.find((drill) => drill.name === name);
  if (found === undefined) throw new UsageError(`no drill "${name}"; there is: ${names.join(", ")}, all`);
  return [found];
}

function waysOf(drill: Drill, heal: (typeof HEAL)[number]): readonly Heal[] {
  return heal === "both" ? ["off", "on", ...drill.extraHeals] : [heal];
}

function goalsOf(drill: Drill, recordings: readonly Recording[]): Goal[] {
  const results = new Map(
    recordings.map((recording): [Heal, Result] => [
      recording.heal,
      { figures: figuresOf(recording), messages: recording.messages },
    ]),
  );
  return [...drill.goals(results), nothingLost(results)];
}

function choice<T extends string>(
  values: Readonly<Record<string, string>>,
  name: string,
  allowed: readonly [T, ...T[]],
): T {
  const given = values[name] ?? allowed[0];
  const found = allowed.find((a) => a === given);
  if (found === undefined) throw new UsageError(`--${name} must be ${allowed.join(" or ")}, not "${given}"`);
  return found;
}

function paceFrom(text: string): Pace {
  const speed = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (!(speed >= SPEEDS.least && speed <= SPEEDS.most))
    throw new UsageError(`--speed must be a number from ${SPEEDS.least} to ${SPEEDS.most}, not "${text}"`);
  return paceOf(speed);
}

function withPrometheus(text: string | undefined): boolean {
  if (text === undefined) return false;
  if (text !== "prometheus") throw new UsageError(`--with must be prometheus, not "${text}"`);
  return true;
}

const WAYS: Readonly<Record<Heal, string>> = { off: "not healed", on: "healed", alerts: "alerts only" };

/** Progress and notes on standard error; a line that renews itself where a person is looking. */
function watcher(drill: Drill, way: Heal, output: (typeof OUTPUT)[number]) {
  const { stderr } = process;
  const live = stderr.isTTY === true && output === "table";
  const name = `${drill.name}, ${WAYS[way]}`;
  const wipe = () => void (live && stderr.write("\r\x1b[K"));
  let phase = "";
  return {
    onNote: (line: string) => {
      wipe();
      stderr.write(`${name}: ${line}\n`);
    },
    onProgress: (progress: DrillProgress) => {
      wipe();
      if (live) stderr.write(`${name}: ${told(progress)}`);
      else if (progress.phase !== phase) stderr.write(`${name}: ${progress.phase}\n`);
      phase = progress.phase;
    },
    end: wipe,
  };
}

function told({ phase, atS, ofS, queue }: DrillProgress): string {
  const time = atS === undefined ? "" : ` ${atS.toFixed(0)} of ${(ofS ?? 0).toFixed(0)} s`;
  return `${phase}${time}${queue === undefined ? "" : `, queue ${queue}`}`;
}
