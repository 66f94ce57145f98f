import type { PartsObservation } from "../../../monitor/kernel/observation.ts";
import type { Instant } from "../../../monitor/kernel/time.ts";
import {
  chooseRegion,
  createRegionHistory,
  observeParts,
  type RegionChoice,
} from "../../../monitor/playbooks/regions/index.ts";
import { simulateGateway } from "../../../monitor/playbooks/regions/regions.testkit.ts";
import { createRandom, type Random } from "../decisions/random.ts";

/** One incident of one gateway. Times are seconds from the onset, the past is negative. */
export interface Incident {
  readonly regions: readonly string[];
  readonly pastS: number;
  /** Seconds after the onset. */
  readonly lengthS: number;
  readonly cycleS: number;
  /** Prometheus scrapes so often, and answers with its newest scrape; undefined: the monitor scrapes. */
  readonly scrapeS?: number;
  /** Mean messages a second of region `i`. */
  readonly rate: (i: number, t: number) => number;
  /** Log-sd of the slow noise of a rate. */
  readonly noise: number;
  /** Devices publish together once a minute; else at any time. */
  readonly together?: boolean;
  readonly capacity: (t: number) => number;
  /** Messages a second that the downstream of region `i` takes; undefined: all. */
  readonly downstream?: (i: number, t: number) => number | undefined;
  /** The monitor starts then. */
  readonly watchFromS?: number;
  /** No source answers before then. */
  readonly blindUntilS?: number;
  readonly blindFromS?: number;
  /** The gateway's process begins again. */
  readonly restartS?: number;
  /** Regions that do not exist before. */
  readonly born?: (i: number) => number;
  /** Who may be chosen: a cause of the backlog. */
  readonly culprits: readonly string[];
  /** Whether to choose none is right as well. */
  readonly mayBeNone: boolean;
}

export interface Verdict {
  /** The answer when it is asked for: three cycles after the backlog passed its SLO, a minute at least. */
  readonly asked: "right" | "none" | "wrong";
  /** Seconds from the backlog's passing of its SLO to the first right answer; 0: at once, or before. */
  readonly delay: number | undefined;
  /** What the founding rule says when asked: the region with the largest backlog. */
  readonly largest: "right" | "wrong" | "none";
  readonly choice: RegionChoice | undefined;
  /** The first choice of a wrong region, and when. */
  readonly wrong: { readonly t: number; readonly choice: RegionChoice } | undefined;
}

const SLO_BACKLOG = 100;
const STEP_S = 1;
/** Nobody looks yet: a coarser step will do, seconds. */
const UNSEEN_STEP_S = 30;
const ORIGIN: Instant = { wallMs: 1_700_000_000_000, monoMs: 77_000_000 };

function at(seconds: number): Instant {
  return { wallMs: ORIGIN.wallMs + seconds * 1000, monoMs: ORIGIN.monoMs + seconds * 1000 };
}

/** Lives through an incident, asking every cycle. */
export function runIncident(incident: Incident, label: string): Verdict {
  const random = createRandom(label);
  const world = createWorld(incident, random);
  const history = createRegionHistory();
  const tally: Tally = { wrong: undefined, delay: undefined, alarmAt: undefined, asked: undefined };
  let scraped: PartsObservation | undefined;
  const first = random.between(0, incident.cycleS);
  let nextCycle = Math.max(-incident.pastS, incident.watchFromS ?? -Infinity) + first;
  let nextScrape = -incident.pastS;
  const unseenUntil = (incident.watchFromS ?? -Infinity) - 300;
  let stepS = STEP_S;
  for (let t = -incident.pastS; t <= incident.lengthS; t += stepS) {
    stepS = t + UNSEEN_STEP_S < Math.min(0, unseenUntil) ? UNSEEN_STEP_S : STEP_S;
    world.step(t, stepS);
    if (tally.alarmAt === undefined && t >= 0 && world.backlog() > SLO_BACKLOG) tally.alarmAt = t;
    if (incident.scrapeS !== undefined && t >= nextScrape) {
      scraped = world.reading(t);
      nextScrape += incident.scrapeS;
    }
    if (t < nextCycle) continue;
    nextCycle += incident.cycleS;
    const isGap = t >= (incident.blindFromS ?? Infinity) && t < (incident.blindUntilS ?? Infinity);
    const isBlind = isGap || random.next() < 0.01;
    const reading = incident.scrapeS === undefined ? world.reading(t) : scraped;
    if (!isBlind && reading !== undefined) observeParts(history, reading, at(t));
    record(tally, { t, incident, choice: chooseRegion(history, at(t)), largest: world.largest() });
  }
  return verdictOf(tally, incident);
}

interface Tally {
  wrong: Verdict["wrong"];
  delay: number | undefined;
  alarmAt: number | undefined;
  asked: { choice: RegionChoice; largest: Verdict["largest"]; verdict: Verdict["asked"] } | undefined;
}

interface Asked {
  readonly t: number;
  readonly incident: Incident;
  readonly choice: RegionChoice;
  readonly largest: string | undefined;
}

function record(tally: Tally, { t, incident, choice, largest }: Asked): void {
  const { culprits, cycleS } = incident;
  const { region } = choice;
  const isRight = region !== undefined && culprits.includes(region) && t >= 0;
  if (region !== undefined && !isRight) tally.wrong ??= { t, choice };
  const { alarmAt } = tally;
  if (isRight)
    tally.delay ??=
      alarmAt === undefined ? -1 : Math.ceil((t - Math.max(alarmAt, sightedS(incident))) / cycleS);
  const wait = Math.max(60, 3 * Math.max(cycleS, incident.scrapeS ?? 0));
  const began = alarmAt === undefined ? undefined : Math.max(alarmAt, sightedS(incident));
  if (tally.asked !== undefined || began === undefined || t < began + wait) return;
  const said = region === undefined ? "none" : isRight ? "right" : "wrong";
  tally.asked = {
    choice,
    largest: largest === undefined ? "none" : culprits.includes(largest) ? "right" : "wrong",
    verdict: incident.mayBeNone && said === "none" ? "right" : said,
  };
}

/** From when on the monitor can see the incident. */
function sightedS({ watchFromS = 0, blindUntilS = 0 }: Incident): number {
  return Math.max(0, watchFromS, blindUntilS);
}

function verdictOf({ asked, wrong, delay }: Tally, { mayBeNone }: Incident): Verdict {
  return {
    asked: asked?.verdict ?? (mayBeNone ? "right" : "none"),
    wrong,
    delay,
    largest: asked?.largest ?? "none",
    choice: asked?.choice,
  };
}

function createWorld(incident: Incident, random: Random) {
  const { regions } = incident;
  const gateway = simulateGateway();
  const drift = regions.map(() => random.normal());
  const phase = regions.map(() => random.between(0, 60));
  return {
    step: (t: number, stepS: number) => {
      const keep = Math.exp(-stepS / 60);
      const arrivals: Record<string, number> = {};
      const downstream: Record<string, number> = {};
      for (const [i, region] of regions.entries()) {
        drift[i] = keep * (drift[i] ?? 0) + Math.sqrt(1 - keep * keep) * random.normal();
        if (t < (incident.born?.(i) ?? -Infinity)) continue;
        const mean =
          incident.rate(i, t) * Math.exp(incident.noise * (drift[i] ?? 0) - incident.noise ** 2 / 2);
        // Together: what a minute brings comes within three seconds.
        const inBurst = (t + (phase[i] ?? 0) + 3600) % 60 < 3;
        arrivals[region] = poisson(
          random,
          mean * stepS * (incident.together === true ? (inBurst ? 20 : 0) : 1),
        );
        const most = incident.downstream?.(i, t);
        if (most !== undefined) downstream[region] = most * stepS;
      }
      if (incident.restartS === t) gateway.restart();
      gateway.second({ arrivals, capacity: incident.capacity(t) * stepS, downstream });
    },
    reading: (t: number) => gateway.reading(at(t)),
    backlog: () => gateway.backlog,
    largest: () => {
      const reading = gateway.reading(at(0));
      const parts = reading.status === "ok" ? reading.parts : [];
      return [...parts].sort((a, b) => (b.backlog ?? 0) - (a.backlog ?? 0))[0]?.part;
    },
  };
}

function poisson(random: Random, mean: number): number {
  if (mean > 30) return Math.max(0, Math.round(mean + Math.sqrt(mean) * random.normal()));
  const least = Math.exp(-mean);
  let product = random.next();
  let count = 0;
  while (product > least) {
    product *= random.next();
    count += 1;
  }
  return count;
}
