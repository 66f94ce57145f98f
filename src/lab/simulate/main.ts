import { HELP, type Options, readOptions } from "./options.ts";
import { PLANTS, plantNamed } from "./plants/index.ts";
import type { Plant } from "./plants/types.ts";
import { createPool, type Pool } from "./pool.ts";
import { catalogueText, strikes, summarize, type Tally, table, violationText } from "./report.ts";
import type { SeedResult } from "./run.ts";
import { drawScenario, only } from "./scenario.ts";
import { type Kept, shrink, spell } from "./shrink.ts";

const print = (text: string) => void process.stdout.write(`${text}\n`);
/** For people: with JSON on standard output it goes beside that. */
const teller = ({ json }: Options) =>
  json ? (text: string) => void process.stderr.write(`${text}\n`) : print;

/** Told on a terminal how far it is; elsewhere now and then. */
function progress(total: number): (done: number, note: string) => void {
  const { stderr } = process;
  let toldMs = Date.now();
  return (done, note) => {
    const everyMs = stderr.isTTY ? 200 : 20_000;
    if (done < total && Date.now() - toldMs < everyMs) return;
    toldMs = Date.now();
    const text = `${done} of ${total} seeds${note === "" ? "" : `, ${note}`}`;
    if (stderr.isTTY) stderr.write(`\r\u001b[K${text}${done === total ? "\n" : ""}`);
    else stderr.write(`${text}\n`);
  };
}

/** Plays all seeds, some of them twice. */
async function playAll(options: Options, pool: Pool): Promise<Tally> {
  const { seeds, from, hours, density, twice } = options;
  const began = Date.now();
  const cpu = process.cpuUsage();
  const results: SeedResult[] = [];
  const unlike: number[] = [];
  let repeated = 0;
  let done = 0;
  const tell = progress(seeds);
  const one = async (seed: number) => {
    const result = await pool.play({ seed, hours, density });
    results.push(result);
    if (twice > 0 && seed % twice === 0) {
      const again = await pool.play({ seed, hours, density });
      repeated += 1;
      if (again.hash !== result.hash) unlike.push(seed);
    }
    done += 1;
    const broken = results.flatMap((r) =>
      r.violation === undefined ? [] : `seed ${r.seed} broke promise ${r.violation.promise}`,
    );
    tell(done, broken.join(", "));
  };
  await Promise.all(Array.from({ length: seeds }, (_, n) => one(from + n)));
  const { user, system } = process.cpuUsage(cpu);
  return { results, hours, unlike, repeated, wallMs: Date.now() - began, cpuMs: (user + system) / 1000 };
}

/** Finds a shortest list of events that still breaks the same promise, and prints how to play it again. */
async function explain(first: SeedResult, options: Options, pool: Pool): Promise<void> {
  const { hours, density, lines, plant } = options;
  const say = teller(options);
  const { seed, violation } = first;
  const { events } = drawScenario(seed, hours, density);
  const before = events.filter((e) => e.atMs <= (violation?.atMs ?? 0));
  const fails = async (kept: readonly Kept[]) => {
    const again = await pool.play({ seed, hours, density, plant, events: spell(kept) });
    return again.violation?.promise === violation?.promise;
  };
  const whole = before.map(({ id, forMs }) => ({ id, forMs }));
  const shortest = (await fails(whole))
    ? await shrink(whole, fails, options.shrink)
    : events.map(({ id, forMs }) => ({ id, forMs }));
  const shown = await pool.play({ seed, hours, density, plant, events: spell(shortest), keepLines: lines });
  say(violationText(shown));
  const planted = plant === undefined ? "" : ` --plant ${plant}`;
  say(`  shortest: ${shortest.length} of ${events.length} events; to play it again:`);
  const dense = density === 1 ? "" : ` --density ${density}`;
  say(
    `  npm run simulate -- --seed ${seed} --hours ${hours}${dense} --events ${spell(shortest) || '""'}${planted}`,
  );
}

async function playOne(options: Options, seed: number, pool: Pool): Promise<boolean> {
  const { hours, density, events, plant, lines } = options;
  const scenario = drawScenario(seed, hours, density);
  const { events: list } = events === undefined ? scenario : only(scenario, events);
  const kinds = list.map((e) => `${e.id} ${e.kind}`).join(", ");
  print(`seed ${seed}: ${scenario.targets.map((t) => `${t.name} (${t.signals.join(", ")})`).join(", ")}`);
  print(`events: ${kinds}`);
  const result = await pool.play({ seed, hours, density, events, plant, keepLines: lines });
  if (result.violation === undefined) print(result.lines.map((line) => `| ${line}`).join("\n"));
  else print(violationText(result));
  print(`trace hash ${result.hash}`);
  return result.violation === undefined;
}

/** The first seed that catches a bug, `atOnce` of them tried at a time; undefined: none of them does. */
async function catchPlant(
  name: string,
  { seeds, from, hours, density }: Options,
  pool: Pool,
  atOnce: number,
): Promise<SeedResult | undefined> {
  for (let n = 0; n < seeds; n += atOnce) {
    const batch = Array.from({ length: Math.min(atOnce, seeds - n) }, (_, k) => from + n + k);
    const results = await Promise.all(batch.map((seed) => pool.play({ seed, hours, density, plant: name })));
    const caught = results.find((r) => r.violation !== undefined);
    if (caught !== undefined) return caught;
  }
  return undefined;
}

function caughtText({ about, breaks }: Plant, caught: SeedResult | undefined): string {
  if (caught?.violation === undefined) return `${"NOT CAUGHT".padEnd(24)}  ${about}`;
  const { violation, seed } = caught;
  const other = breaks.includes(violation.promise) ? "" : " (another than foreseen)";
  return `${`promise ${violation.promise}, seed ${seed}${other}`.padEnd(24)}  ${violation.text}`;
}

/** Every bug by itself, as many at a time as there are threads; told in the order of the list. */
async function catchAll(options: Options, pool: Pool): Promise<boolean> {
  const began = Date.now();
  const width = Math.max(...PLANTS.map((p) => p.name.length));
  const all = PLANTS.map((plant) => ({ plant, caught: catchPlant(plant.name, options, pool, 1) }));
  const found: { plant: string; seed?: number; promise?: number }[] = [];
  for (const { plant, caught } of all) {
    const result = await caught;
    const { violation, seed } = result ?? {};
    found.push({ plant: plant.name, ...(violation && { seed, promise: violation.promise }) });
    if (!options.json) print(`${plant.name.padEnd(width)}  ${caughtText(plant, result)}`);
  }
  const caught = found.filter((f) => f.seed !== undefined).length;
  if (options.json) print(JSON.stringify({ plants: found }));
  else print(`${caught} of ${PLANTS.length} bugs caught in ${((Date.now() - began) / 1000).toFixed(0)} s`);
  return caught === PLANTS.length;
}

async function many(options: Options, pool: Pool): Promise<boolean> {
  const say = teller(options);
  const tally = await playAll(options, pool);
  const summary = summarize(tally);
  const broken = tally.results.filter((r) => r.violation !== undefined).toSorted((a, b) => a.seed - b.seed);
  const [first, ...others] = broken;
  if (!options.json) print(table(tally));
  for (const seed of tally.unlike) say(`seed ${seed} left another trace when it was played again`);
  if (first !== undefined) await explain(first, options, pool);
  for (const { seed, violation } of others)
    say(`seed ${seed}: promise ${violation?.promise} broken: ${violation?.text}`);
  if (options.json) {
    print(JSON.stringify({ struck: Object.fromEntries(strikes(tally.results)) }));
    print(JSON.stringify(summary));
  }
  return summary.violations === 0;
}

async function onePlant(name: string, options: Options, pool: Pool): Promise<boolean> {
  const { about } = plantNamed(name);
  const caught = await catchPlant(name, options, pool, options.workers);
  if (caught === undefined) {
    print(`${name} (${about}) is caught by none of ${options.seeds} seeds`);
    return false;
  }
  await explain(caught, options, pool);
  return true;
}

async function main(): Promise<number> {
  let options: Options;
  try {
    options = readOptions(process.argv.slice(2));
    if (options.plant !== undefined) plantNamed(options.plant);
    if (options.seed !== undefined && options.events !== undefined)
      only(drawScenario(options.seed, options.hours, options.density), options.events);
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
    return 2;
  }
  if (options.help || options.catalogue) {
    print(options.help ? HELP : catalogueText());
    return 0;
  }
  const pool = createPool(options.workers);
  try {
    const { seed, plant, plants } = options;
    const good = plants
      ? await catchAll(options, pool)
      : seed !== undefined
        ? await playOne(options, seed, pool)
        : plant !== undefined
          ? await onePlant(plant, options, pool)
          : await many(options, pool);
    return good ? 0 : 1;
  } finally {
    await pool.close();
  }
}

process.exitCode = await main();
