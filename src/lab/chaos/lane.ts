import { globSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import type { LogLine, Spawned } from "../../../test/e2e/kit/process.ts";
import { createWorld, type ServiceHandle, TOKEN, type World } from "../../../test/e2e/kit/world.ts";
import { freePort, waitFor } from "../../../test/setup/ports.ts";
import { type RunningPrometheus, startPrometheus } from "../../../test/setup/prometheus.ts";
import { answersOk } from "../../common/net/exchange.ts";
import { judge, readJournal, readLedger } from "./judge.ts";
import type { ChaosOptions, Findings } from "./types.ts";

/** On a busy machine everything takes its time; what is measured is said in the findings, not enforced by waiting. */
const PATIENCE_MS = 120_000;

/** One monitor with a service of its own: epochs of different monitors do not meet. */
export interface Lane {
  readonly name: string;
  readonly service: ServiceHandle;
  readonly dataDir: string;
  /** Of its present life. */
  url(): string;
  /** The process of its present life. */
  monitor(): Spawned;
  /** Starts a life and waits for its first finished cycle. */
  start(): Promise<void>;
  /** Waits for the end of a life that something else brings about, then reads the journal as it lies there. */
  died(withinMs?: number): Promise<void>;
  kill(): Promise<void>;
  /** Effects that the service made for the monitor so far. */
  effects(): LogLine[];
  /** Waits for so many effects more. */
  moreEffects(count: number): Promise<void>;
  /** Lines of the present life. */
  cycles(): LogLine[];
}

interface LaneOptions {
  readonly name: string;
  readonly sources: Record<string, unknown>;
  /** Where the admin plane is reached, when not at the service itself. */
  readonly adminUrl?: string;
  readonly targets?: number;
  readonly cooldownS?: readonly number[];
  readonly env?: Readonly<Record<string, string>>;
  readonly service: ServiceHandle;
  readonly dataDir?: string;
  /** False: this monitor is overtaken by another, which is judged in its place. */
  readonly judged?: boolean;
}

/** Processes of one scenario, and the way to end them and to sum up. */
export interface Stage {
  readonly world: World;
  service(): Promise<ServiceHandle>;
  lane(options: LaneOptions): Lane;
  prometheus(
    lanes: readonly { name: string; service: ServiceHandle; targets?: number }[],
  ): Promise<RunningPrometheus>;
  /** Lets every lane run until nothing is open, stops it in order, and judges it. */
  conclude(scenario: string, extra: { times: number; violations?: readonly string[] }): Promise<Findings>;
}

const TARGETS = 6;
/** Short and different, so that something is always about to happen. */
const COOLDOWNS_S = [2, 3, 4];

const cooldownOf = (at: number, cooldowns: readonly number[] = COOLDOWNS_S): number =>
  cooldowns[at % cooldowns.length] as number;

function targetName(lane: string, at: number): string {
  return `${lane}-${at}`;
}

/** Runs a scenario on a stage of its own, which is cleared however it ends. */
export async function onStage(
  options: ChaosOptions,
  play: (stage: Stage) => Promise<Findings>,
): Promise<Findings> {
  const world = createWorld();
  const lanes: { lane: Lane; books: Books; cooldowns: readonly number[] }[] = [];
  const ledgers = new Map<ServiceHandle, string>();
  let services = 0;
  const stage: Stage = {
    world,
    async service() {
      const data = `held-${++services}`;
      const service = await world.service({ data });
      ledgers.set(service, join(world.dir, data));
      return service;
    },
    lane(spec) {
      const books: Books = { recoveries: [], intents: new Set(), outcomes: new Set(), reopened: 0 };
      const lane = openLane(world, spec, books);
      if (spec.judged !== false) lanes.push({ lane, books, cooldowns: spec.cooldownS ?? COOLDOWNS_S });
      return lane;
    },
    async prometheus(of) {
      const jobs = of.flatMap(({ name, service, targets = TARGETS }) =>
        Array.from({ length: targets }, (_, at) => ({ job: targetName(name, at), instance: service.name })),
      );
      const running = await startPrometheus({
        binary: options.prometheus,
        config: scrapeConfig(jobs),
        readyTimeoutMs: PATIENCE_MS,
      });
      world.onEnd(() => running.kill());
      return running;
    },
    async conclude(scenario, { times, violations = [] }) {
      const judged = [];
      for (const { lane, books, cooldowns } of lanes) {
        await stopInOrder(lane);
        const ledger = readLedger(ledgerIn(ledgers.get(lane.service)));
        await allTold(lane, ledger);
        judged.push(
          judge({
            effects: lane.effects(),
            ledger,
            seen: books,
            journal: readJournal(lane.dataDir),
            dataDir: lane.dataDir,
            cooldownMs: (target) => 1000 * cooldownOf(Number(target.split("-").at(-1)), cooldowns),
          }),
        );
      }
      const effects = lanes.reduce((sum, { lane }) => sum + lane.effects().length, 0);
      return {
        scenario,
        times,
        effects,
        duplicateEffects: judged.reduce((sum, j) => sum + j.duplicateEffects, 0),
        lostRecords: judged.reduce((sum, j) => sum + j.lostRecords, 0),
        recoveriesMs: lanes.flatMap(({ books }) => books.recoveries),
        violations: [
          ...violations,
          ...judged.flatMap((j) => j.violations),
          // A scenario in which nothing happened has shown nothing.
          ...(effects === 0 ? ["nothing was ever acted on"] : []),
        ],
      };
    },
  };
  try {
    return await Promise.race([play(stage), brokenOff(options.signal)]);
  } finally {
    await world.end();
  }
}

function brokenOff(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) => {
    signal?.addEventListener("abort", () => reject(new Error("interrupted")), { once: true });
  });
}

interface Books {
  readonly recoveries: number[];
  readonly intents: Set<string>;
  readonly outcomes: Set<string>;
  reopened: number;
}

function openLane(world: World, spec: LaneOptions, books: Books): Lane {
  const { name, service, env = {} } = spec;
  const dataDir = spec.dataDir ?? join(world.dir, `monitor-${name}`);
  mkdirSync(dataDir, { recursive: true });
  const file = world.file(`${name}.yml`, configOf(spec));
  let life: Spawned | undefined;
  let url = "";
  const monitor = () => {
    if (life === undefined) throw new Error(`the monitor of ${name} was never started`);
    return life;
  };
  const read = () => {
    const { intents, outcomes } = readJournal(dataDir);
    for (const id of intents.keys()) books.intents.add(id);
    for (const id of outcomes.keys()) books.outcomes.add(id);
  };
  const effects = () => service.autoMitigations();
  return {
    name,
    service,
    dataDir,
    url: () => url,
    monitor,
    effects,
    cycles: () => monitor().all("prediction cycle"),
    async start() {
      const port = await freePort();
      url = `http://127.0.0.1:${port}`;
      const began = performance.now();
      const own = [
        `--config.file=${file}`,
        `--web.listen-address=127.0.0.1:${port}`,
        `--data-dir=${dataDir}`,
      ];
      life = world.spawn(["monitor", ...own], { ADMIN_TOKEN: TOKEN, ...env });
      await waitFor(() => isReady(url, monitor()), {
        what: `the first cycle of ${name}`,
        timeoutMs: PATIENCE_MS,
        everyMs: 20,
      });
      // The first start is no recovery.
      if (books.reopened > 0) books.recoveries.push(performance.now() - began);
      books.reopened += 1;
    },
    async died(withinMs = PATIENCE_MS) {
      await waitFor(() => !monitor().running(), {
        what: `the end of ${name}`,
        timeoutMs: withinMs,
        everyMs: 5,
      });
      read();
    },
    async kill() {
      monitor().signal("SIGKILL");
      await monitor().exited;
      read();
    },
    async moreEffects(count) {
      const from = effects().length;
      await waitFor(() => effects().length >= from + count, {
        what: `${count} more effects of ${name}; last: ${monitor().stdout().slice(-1500)}${monitor().stderr().slice(-500)}`,
        timeoutMs: PATIENCE_MS,
      });
    },
  };
}

async function isReady(url: string, process: Spawned): Promise<boolean> {
  if (!process.running())
    throw new Error(`it ended: ${process.stderr().slice(-1500)}${process.stdout().slice(-500)}`);
  return answersOk(`${url}/-/ready`, 1_000);
}

/** Stops it; a life that leaves something open is followed by one that reconciles it, as an operator's restart would. */
async function stopInOrder(lane: Lane): Promise<void> {
  for (let attempts = 0; ; attempts++) {
    if (!lane.monitor().running()) await lane.start();
    await lane.monitor().end("SIGTERM", PATIENCE_MS);
    const { intents, outcomes } = readJournal(lane.dataDir);
    if (attempts === 4 || [...intents.keys()].every((id) => outcomes.has(id))) return;
  }
}

/** The service's lines come through a pipe: wait for those that its ledger knows of. */
async function allTold(lane: Lane, ledger: ReadonlyMap<string, boolean>): Promise<void> {
  await waitFor(
    () => {
      const told = new Set(lane.effects().map((line) => line.idempotency_key));
      return [...ledger].every(([key, answered]) => !answered || told.has(key));
    },
    { what: `the log of the service of ${lane.name}` },
  );
}

function ledgerIn(folder: string | undefined): string {
  const [file] = folder === undefined ? [] : globSync("*/admin.sqlite", { cwd: folder });
  if (folder === undefined || file === undefined) throw new Error(`no ledger of a service in ${folder}`);
  return join(folder, file);
}

/**
 * A monitor that acts all the time: every target is over its limit for good, cooldowns are seconds, and the brakes that
 * a healthy configuration has are wide open. What is left is the protocol.
 */
function configOf(spec: LaneOptions): unknown {
  const { name, service, sources, adminUrl, targets = TARGETS, cooldownS = COOLDOWNS_S } = spec;
  return {
    cycle_interval_seconds: 1,
    sources: { rate_window_seconds: 5, max_sample_age_seconds: 8, ...sources },
    predict: { min_r2: 0, window_samples: 5, cooldown_seconds: 2 },
    signals: {
      p95_latency: { enabled: false },
      error_rate: { enabled: false },
      backlog: { enabled: false },
      // Any process has more than this megabyte.
      memory: { limit: 1_000_000, linear: true, trend: false },
    },
    guards: {
      target_cap: { actions: 1000, window_seconds: 1 },
      fleet_cap: { actions: 10_000, window_seconds: 1 },
      storm: { share: 1, min_targets: 10_000 },
      startup: { starts: 100, window_seconds: 1, quiet_seconds: 1 },
      backoff: { factor: 1, max_seconds: 0 },
    },
    // Ends as inconclusive: no action waits long enough for so many samples, and none counts as one that did not help.
    verification: { window_seconds: 86_400, min_samples: 100, max_ineffective: 40 },
    mitigate: "helius",
    targets: Array.from({ length: targets }, (_, at) => ({
      name: targetName(name, at),
      job: targetName(name, at),
      url: service.url,
      cooldown_seconds: cooldownOf(at, cooldownS),
      ...(adminUrl === undefined ? {} : { admin_url: adminUrl }),
    })),
  };
}

function scrapeConfig(jobs: readonly { job: string; instance: string }[]): string {
  const one = ({ job, instance }: { job: string; instance: string }) =>
    `  - job_name: ${job}\n    static_configs: [{ targets: [${JSON.stringify(instance)}] }]`;
  return `global: { scrape_interval: 1s, scrape_timeout: 900ms }\nscrape_configs:\n${jobs.map(one).join("\n")}\n`;
}
