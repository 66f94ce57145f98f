import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";

export const HELP = `Play the monitor against seeded worlds of faults, on virtual time, and watch the promises.

usage: npm run simulate -- [options]
  --seeds N        how many seeds (default 100)
  --hours H        simulated hours of each, at least 6 (default 24)
  --density N      N times as many faults in them (default 1)
  --from S         the first seed (default 1)
  --seed S         this seed alone, with its trace
  --events LIST    of that seed's events only these, e.g. 3,7:600 (id:seconds)
  --twice N        every N-th seed is played a second time and must leave the same trace (default 10; 0: none)
  --plant BUG      plant a bug and stop at the first seed that catches it
  --plants         plant every bug, each by itself
  --shrink N       lists of events to play in search of a shortest one (default 120)
  --lines N        lines of a trace that are printed (default 60)
  --workers N      threads (default: one a core)
  --output FORMAT  table (default) or json
  --catalogue      the faults, the promises and the bugs as tables, and nothing else
  --help

exit code: 0 no promise was broken (with a plant: it was caught), 1 otherwise, 2 a wrong option`;

export interface Options {
  readonly seeds: number;
  readonly hours: number;
  readonly density: number;
  readonly from: number;
  readonly seed: number | undefined;
  readonly events: string | undefined;
  readonly twice: number;
  readonly plant: string | undefined;
  readonly plants: boolean;
  readonly shrink: number;
  readonly lines: number;
  readonly workers: number;
  readonly json: boolean;
  readonly catalogue: boolean;
  readonly help: boolean;
}

/** @throws Error naming the option and what would be right */
export function readOptions(argv: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      seeds: { type: "string", default: "100" },
      hours: { type: "string", default: "24" },
      density: { type: "string", default: "1" },
      from: { type: "string", default: "1" },
      seed: { type: "string" },
      events: { type: "string" },
      twice: { type: "string", default: "10" },
      plant: { type: "string" },
      plants: { type: "boolean", default: false },
      shrink: { type: "string", default: "120" },
      lines: { type: "string", default: "60" },
      workers: { type: "string" },
      output: { type: "string", default: "table" },
      catalogue: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  const whole = (name: keyof typeof values, least: number): number => {
    const n = Number(values[name]);
    if (!Number.isSafeInteger(n) || n < least)
      throw new Error(`--${name} must be a whole number from ${least}, not ${values[name]}`);
    return n;
  };
  if (values.output !== "table" && values.output !== "json")
    throw new Error(`--output must be table or json, not ${values.output}`);
  if (values.events !== undefined && values.seed === undefined)
    throw new Error("--events needs --seed: the events are those of one seed");
  return {
    seeds: whole("seeds", 1),
    hours: whole("hours", 6),
    density: whole("density", 1),
    from: whole("from", 0),
    seed: values.seed === undefined ? undefined : whole("seed", 0),
    events: values.events,
    twice: whole("twice", 0),
    plant: values.plant,
    plants: values.plants,
    shrink: whole("shrink", 0),
    lines: whole("lines", 0),
    workers: values.workers === undefined ? Math.max(1, availableParallelism()) : whole("workers", 1),
    json: values.output === "json",
    catalogue: values.catalogue,
    help: values.help,
  };
}
