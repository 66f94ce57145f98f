import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { installTime } from "./engine/time.ts";
import type { Plant } from "./plants/types.ts";
import { checkers } from "./promises/index.ts";
import type { Scenario } from "./scenario.ts";
import { Alertmanager } from "./world/alertmanager.ts";
import { Director } from "./world/director.ts";
import { fileDisk, memoryDisk } from "./world/disk.ts";
import type { Violation } from "./world/facts.ts";
import { SPECIAL } from "./world/specials.ts";
import { World } from "./world/world.ts";

/** What one seed came to. */
export interface SeedResult {
  readonly seed: number;
  readonly violation: Violation | undefined;
  /** 16 hexadecimal digits over every call of every port. */
  readonly hash: string;
  /** Events that struck, by kind. */
  readonly struck: Readonly<Record<string, number>>;
  /** Most faults under way at once. */
  readonly atOnce: number;
  readonly http: boolean;
  readonly sqlite: boolean;
  readonly counts: World["counts"];
  readonly effects: number;
  /** The newest lines of the trace, where they were asked for. */
  readonly lines: readonly string[];
}

export interface RunOptions {
  readonly scenario: Scenario;
  /** A folder of this run's own. */
  readonly folder: string;
  readonly plant?: Plant | undefined;
  readonly keepLines?: number;
}

/** The settings' default at this cycle: four cycles. */
const RATE_WINDOW_MS = 240_000;

let world: World | undefined;
let installed = false;

/** Plays one seed. Virtual time takes the place of this thread's timers, once and for all. */
export async function runSeed(options: RunOptions): Promise<SeedResult> {
  const { scenario, folder, plant, keepLines = 0 } = options;
  mkdirSync(folder, { recursive: true });
  // Loaded when it is first needed, which takes no virtual time.
  if (scenario.strangers !== undefined) await import("@kubernetes/client-node");
  if (!installed)
    installTime(() => {
      if (world === undefined) throw new Error("no world has begun");
      return world.time;
    });
  installed = true;
  const made = new World({ scenario, folder, plant, keepLines }, RATE_WINDOW_MS);
  world = made;
  const newDisk = (name: string) => (scenario.sqlite ? fileDisk(join(folder, name)) : memoryDisk());
  const director = new Director(made, newDisk, SPECIAL);
  const supervised = () => director.sites.filter((s) => s.supervised);
  const alertmanager = new Alertmanager(made, supervised);
  made.watch(checkers({ world: made, alertmanager, main: () => director.main }));
  director.begin(alertmanager);
  try {
    await made.time.runUntil(scenario.hours * 3_600_000);
    if (made.violations.length === 0) made.tell("end");
  } finally {
    for (const site of director.sites) {
      site.supervised = false;
      site.process?.kill("the end");
      site.disk.dispose();
    }
    rmSync(folder, { recursive: true, force: true });
  }
  return {
    seed: scenario.seed,
    violation: made.violations[0],
    hash: made.trace.hash(),
    struck: made.faults.struck(),
    atOnce: made.faults.most,
    http: scenario.http,
    sqlite: scenario.sqlite,
    counts: made.counts,
    effects: made.effects.length,
    lines: made.trace.lines(),
  };
}
