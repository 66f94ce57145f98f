import { createRandom, type Random } from "./engine/random.ts";
import { CATALOGUE, type FaultKind, KINDS } from "./faults/catalogue.ts";
import { drawStrangers, type Strangers, sectionsOf } from "./strangers.ts";

/** One fault that is to happen. Plain numbers, so that a list of them can be cut down and played again. */
export interface FaultEvent {
  readonly id: number;
  readonly kind: string;
  readonly atMs: number;
  readonly forMs: number;
  /** Index of the target that it is about; -1: none in particular. */
  readonly target: number;
  /** Calls that it meets before it is spent. */
  readonly hits: number;
  /** Uniform in [0, 1): what the kind makes of them is its own affair. */
  readonly x: number;
  readonly y: number;
}

export interface TargetSpec {
  readonly name: string;
  readonly signals: readonly SignalName[];
  readonly instances: number;
  readonly cooldownS: number;
  readonly regions: readonly string[];
}

export type SignalName = "p95_latency" | "error_rate" | "memory" | "backlog";

/** Everything that a world is made of, before anything happens in it. */
export interface Scenario {
  readonly seed: number;
  readonly hours: number;
  readonly cycleS: number;
  readonly targets: readonly TargetSpec[];
  /** What is healed by playbooks of its own, and what those call; absent: the platform alone. */
  readonly strangers?: Strangers;
  /** The Prometheus source asks over HTTP, through its real client; else through its port. */
  readonly http: boolean;
  /** The journal is the embedded one, in files; else the one in memory, of the same records. */
  readonly sqlite: boolean;
  /** Other settings than the defaults, as in the file. */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly events: readonly FaultEvent[];
  /** From here on nothing new goes wrong but the health of a few targets. */
  readonly quietMs: number;
}

/** Every so manieth seed goes through the real metric client, and keeps its journal in real files. */
const HTTP_EVERY = 16;
const SQLITE_EVERY = 8;
/** Share of the worlds whose targets are healed by playbooks of their own. */
const STRANGE = 0.5;
/** Longest quiet time at the end, hours. */
const QUIET_HOURS = 3;
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/**
 * The scenario of a seed. The same seed, length and density give the same one.
 * @param hours at least 6
 * @param density how many times as many faults as usual
 */
export function drawScenario(seed: number, hours: number, density = 1): Scenario {
  const random = createRandom(`seed ${seed}`);
  const strange = random.fork("strangers");
  const strangers = strange.chance(STRANGE) ? strange : undefined;
  const targets = drawTargets(random.fork("targets")).map((t) =>
    strangers?.chance(0.3) === true ? { ...t, cooldownS: 30 } : t,
  );
  const drawn = strangers && drawStrangers(strangers, targets);
  const callees = drawn?.playbooks.map(({ steps }) => new Set(steps.map(({ on }) => on)).size) ?? [];
  const leastFleet = Math.max(2, ...callees);
  const quietMs = (hours - QUIET_HOURS) * HOUR;
  const http = seed % HTTP_EVERY === 0;
  return {
    seed,
    hours,
    cycleS: 60,
    targets,
    ...(drawn === undefined ? {} : { strangers: drawn }),
    http,
    sqlite: seed % SQLITE_EVERY === 4,
    settings: drawSettings(random.fork("settings"), leastFleet),
    events: drawEvents({
      random: random.fork("events"),
      targets: targets.length,
      quietMs,
      http,
      askers: drawn?.playbooks.map(({ asker }) => targets.findIndex((t) => t.name === asker)) ?? [],
      density,
      seed,
    }),
    quietMs,
  };
}

const OTHERS = [
  "product-api",
  "llm-router",
  "llm-assistant",
  "edge-api",
  "billing",
  "search",
  "mailer",
  "auth",
];

function drawTargets(random: Random): TargetSpec[] {
  const count = random.chance(0.8) ? random.whole(4, 6) : random.whole(7, 12);
  const cooldown = () => random.pick([120, 300, 300, 300, 600]);
  const targets: TargetSpec[] = [
    {
      name: "telemetry-gateway",
      signals: random.chance(0.5) ? ["backlog"] : ["backlog", "memory"],
      instances: 1,
      cooldownS: cooldown(),
      regions: ["us-east-1", "eu-central-1", "sa-east-1"],
    },
    {
      name: "recommender-service",
      signals: random.chance(0.5) ? ["p95_latency"] : ["p95_latency", "error_rate"],
      instances: 1,
      cooldownS: cooldown(),
      regions: [],
    },
  ];
  const names = [...random.shuffled(OTHERS), "batch-1", "batch-2", "batch-3"];
  while (targets.length < count) {
    const signals = random.shuffled<SignalName>(["p95_latency", "error_rate", "memory"]);
    targets.push({
      name: names[targets.length - 2] as string,
      signals: signals.slice(0, random.pick([1, 1, 2, 2, 3])),
      instances: random.pick([1, 1, 1, 2]),
      cooldownS: cooldown(),
      regions: [],
    });
  }
  return random.shuffled(targets);
}

/**
 * Half of the worlds run on the defaults; the others on brakes that are met sooner, or later.
 * @param leastFleet what the largest playbook calls at once: less is refused by the configuration
 */
function drawSettings(random: Random, leastFleet: number): Record<string, unknown> {
  if (random.chance(0.5)) return {};
  return {
    guards: {
      target_cap: { actions: random.whole(2, 6), window_seconds: random.pick([1800, 3600]) },
      fleet_cap: { actions: random.whole(leastFleet, 6), window_seconds: random.pick([600, 1800, 3600]) },
      storm: { share: random.pick([0.3, 0.5]), min_targets: random.pick([2, 3]) },
      startup: { starts: random.whole(2, 4) },
      backoff: { factor: random.pick([1, 2, 3]), max_seconds: random.pick([1800, 3600]) },
    },
    verification: { max_ineffective: random.whole(2, 4), min_samples: random.whole(3, 4) },
  };
}

interface Drawing {
  readonly random: Random;
  readonly targets: number;
  readonly quietMs: number;
  readonly http: boolean;
  /** Indexes of the targets with playbooks of the world's own. */
  readonly askers: readonly number[];
  readonly density: number;
  readonly seed: number;
}

/** What people say of a target; undefined: they ask for an action. */
const WORDS = ["silence", "maintenance", "shadow_target", undefined] as const;

/** Kinds that only work on a target with a certain duty. */
const HEALTHY_STARTS = ["ramp", "step", "leak", "flood", "ramp", "step"] as const;

/**
 * Some kinds of the catalogue, dealt as from a shuffled deck, so that none is forgotten, and from another one when it
 * is spent: a part in clusters of at least
 * three at once, each around a target that turns sick, the others anywhere. Beside them every hour or so a target turns
 * sick. In the quiet time only that.
 */
function drawEvents({ random, targets, quietMs, http, askers, density, seed }: Drawing): FaultEvent[] {
  const events: FaultEvent[] = [];
  const add = (kind: FaultKind, atMs: number, quiet = false, target?: number) => {
    const event = drawEvent({ random, kind, id: events.length, atMs, targets, quietMs, quiet, density });
    events.push(target === undefined ? event : { ...event, target });
  };
  const sick = (atMs: number, quiet = false) =>
    add(KINDS.get(random.pick(HEALTHY_STARTS)) as FaultKind, atMs, quiet);
  const dealt = CATALOGUE.filter((f) => f.group !== "callee" && !(http && f.portOnly === true));
  const emphasis = density === 1 ? undefined : seed % 2 === 0;
  const cards = dealt.flatMap((f) => Array.from({ length: cardsOf(f, emphasis) }, () => f));
  let deck = random.shuffled(cards);
  const deal = (): FaultKind => {
    if (deck.length === 0) deck = random.shuffled(cards);
    return deck.pop() as FaultKind;
  };
  const hours = quietMs / HOUR;
  for (let n = Math.max(1, Math.round((density * hours) / 4)); n > 0; n -= 1) {
    const around = random.between(0.2 * HOUR, quietMs - 0.6 * HOUR);
    sick(around);
    for (let k = random.whole(3, 5); k > 0; k -= 1)
      add(deal(), around + random.between(-8 * MINUTE, 8 * MINUTE));
  }
  for (let n = Math.round((density * hours) / 2); n > 0; n -= 1)
    add(deal(), random.between(0.1 * HOUR, quietMs - 0.5 * HOUR));
  for (
    let at = random.between(0, HOUR);
    at < quietMs - 0.3 * HOUR;
    at += random.between(0.3 * HOUR, 1.7 * HOUR)
  )
    sick(at);
  const asked = KINDS.get("request") as FaultKind;
  const anywhere = (kind: FaultKind) => add(kind, random.between(0.1 * HOUR, quietMs - 0.3 * HOUR));
  const outside = random.shuffled(CATALOGUE.filter((f) => f.group === "callee"));
  for (let n = 0; askers.length > 0 && n < 0.4 * density * hours; n += 1)
    anywhere(outside[n % outside.length] as FaultKind);
  // A person says something of a target just before it turns sick, whose playbook calls something else; or asks for it
  // again and again.
  for (let n = 0; askers.length > 0 && n < hours / 3; n += 1) {
    const atMs = random.between(0.2 * HOUR, quietMs - 0.7 * HOUR);
    const about = random.pick(askers);
    const word = WORDS[n % WORDS.length];
    if (word === undefined) for (let k = 0; k < 5; k += 1) add(asked, atMs + 6 * k * MINUTE, false, about);
    else {
      add(KINDS.get(word) as FaultKind, atMs, false, about);
      add(KINDS.get(random.pick(["ramp", "step"])) as FaultKind, atMs + 2 * MINUTE, false, about);
    }
  }
  // Amid many faults few forecasts ask for anything: people do, so that what waits for a call meets one.
  for (let n = Math.round(((density - 1) * hours) / 3); n > 0; n -= 1) anywhere(asked);
  for (let n = random.whole(0, 2); n > 0; n -= 1) sick(quietMs + random.between(0, 20 * MINUTE), true);
  return events.sort((a, b) => a.atMs - b.atMs || a.id - b.id).map((e, id) => ({ ...e, id }));
}

interface DrawInput {
  random: Random;
  kind: FaultKind;
  id: number;
  atMs: number;
  targets: number;
  quietMs: number;
  quiet: boolean;
  density: number;
}

function drawEvent(input: DrawInput): FaultEvent {
  const { random, kind, quietMs, quiet } = input;
  const atMs = Math.max(0, Math.round(input.atMs));
  const drawn = Math.round(random.between(...kind.minutes) * MINUTE);
  // In the quiet time what turns sick stays so until somebody mends it.
  const forMs = quiet ? 24 * HOUR : kind.group === "health" ? drawn : Math.min(drawn, quietMs - atMs);
  return {
    id: input.id,
    kind: kind.kind,
    atMs,
    forMs,
    target: kind.targeted === true ? random.whole(0, input.targets - 1) : -1,
    hits: kind.hits === undefined ? Number.MAX_SAFE_INTEGER : hitsOf(kind.hits, input),
    x: random.next(),
    y: random.next(),
  };
}

/**
 * How many cards of the deck are of a kind. Where there are many faults, one half of the seeds deals mostly what waits
 * for a call: amid too many others there would be few calls.
 * @param onCall what is dealt more often; undefined: neither
 */
function cardsOf(kind: FaultKind, onCall: boolean | undefined): number {
  const seldom = kind.seldomMet === true ? 2 : 1;
  return onCall === undefined || (kind.onCall ?? false) !== onCall ? seldom : 4 * seldom;
}

/** Where many wait for a call each takes as few as it may, so that every one of them gets its turn. */
function hitsOf([least, most]: readonly [number, number], { random, density }: DrawInput): number {
  return density === 1 ? random.whole(least, most) : least;
}

/**
 * The scenario with some of its events only.
 * @param events ids, each with its length in seconds where it is another: `3,7:600`; empty: none.
 * @throws RangeError naming what is wrong
 */
export function only(scenario: Scenario, events: string): Scenario {
  const kept = events.split(",").filter((part) => part.trim() !== "");
  return {
    ...scenario,
    events: kept.map((part) => {
      const match = /^\s*(\d+)(?::(\d+))?\s*$/.exec(part);
      const event = scenario.events.find((e) => e.id === Number(match?.[1]));
      if (match === null || event === undefined)
        throw new RangeError(
          `--events must list ids of the seed's ${scenario.events.length} events, e.g. 3,7:600; not "${part}"`,
        );
      return match[2] === undefined ? event : { ...event, forMs: 1000 * Number(match[2]) };
    }),
  };
}

/** The configuration of a scenario, as the file says it. @param folder of the files that it names. */
export function configOf(scenario: Scenario, folder: string): Record<string, unknown> {
  const { strangers } = scenario;
  const all: readonly SignalName[] = ["p95_latency", "error_rate", "memory", "backlog"];
  return {
    cycle_interval_seconds: scenario.cycleS,
    sources: { order: ["prometheus"], prometheus: { url: "http://prometheus:9090" } },
    notify: { alertmanager: { url: "http://alertmanager:9093" } },
    admin: { token: ADMIN_TOKEN },
    web: { token: WEB_TOKEN },
    mitigate: "helius",
    ...scenario.settings,
    ...(strangers === undefined ? {} : sectionsOf(strangers, scenario.targets, folder)),
    targets: scenario.targets.map((t) => ({
      name: t.name,
      urls: Array.from({ length: t.instances }, (_, n) => `http://${hostOf(t.name, n)}`),
      cooldown_seconds: t.cooldownS,
      signals: Object.fromEntries(all.map((s) => [s, { enabled: t.signals.includes(s) }])),
      ...(t.regions.length === 0
        ? {}
        : {
            parts: {
              label: "region",
              backlog_metric: "queue_depth",
              inbound_metric: "telemetry_received_total",
            },
          }),
    })),
  };
}

export const ADMIN_TOKEN = "simulated-admin-token-0123456789";
export const WEB_TOKEN = "simulated-web-token-0123456789";

/** `host:port` of an instance. */
export function hostOf(target: string, instance: number): string {
  return `${target}-${instance}:8000`;
}
