import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Logger } from "pino";
import { stringify } from "yaml";
import { createGate, type Gate } from "../../../common/security/gate.ts";
import { createTokenSet } from "../../../common/security/tokens.ts";
import { errorMessage } from "../../../common/text/error.ts";
import { alertsApi } from "../../../monitor/app/alerts.ts";
import { startScheduler } from "../../../monitor/app/scheduler.ts";
import { loopSettings } from "../../../monitor/app/wiring.ts";
import { loadConfig } from "../../../monitor/config/load.ts";
import type { Config } from "../../../monitor/config/types.ts";
import { makePlan } from "../../../monitor/cycle/state.ts";
import { createLoop, type Loop } from "../../../monitor/cycle/tick.ts";
import type { LoopSettings, Reporter } from "../../../monitor/cycle/types.ts";
import type { Action, Intent } from "../../../monitor/kernel/action.ts";
import { AlertsFullError } from "../../../monitor/kernel/containment.ts";
import { type Store, StoreError } from "../../../monitor/kernel/store.ts";
import type { Series } from "../../../monitor/kernel/target.ts";
import { VirtualNetwork } from "../engine/network.ts";
import type { Soil } from "../plants/types.ts";
import { WEB_TOKEN } from "../scenario.ts";
import { type Adapters, openActions, openNotifier, openSource } from "./adapters.ts";
import type { Disk } from "./disk.ts";
import type { IntentFact, SiteView } from "./facts.ts";
import { knownOf, type Seen } from "./metrics.ts";
import { PerSeries } from "./per-series.ts";
import { guardAction, guardNotifier, guardSource, guardStore, type Wiring } from "./ports.ts";
import { Killed, Machine, Process } from "./process.ts";
import { prometheusHttp } from "./prometheus-http.ts";
import { serversOf } from "./reach.ts";
import type { World } from "./world.ts";

/** A scheduler's beat: coarser than the real one's second, which decides nothing here. */
const BEAT_MS = 10_000;
/** The supervisor starts a monitor that ended again after so long. */
const RESTART_MS = 3000;
const RETRY_MS = 15_000;
const DRAIN_MS = 20_000;

const SILENT = { info() {}, warn() {}, error() {} } as unknown as Logger;

interface Running {
  readonly process: Process;
  readonly loop: Loop;
  readonly store: Store;
  readonly gate: Gate;
  readonly seen: Seen;
  readonly wiring: Wiring;
  scheduler?: ReturnType<typeof startScheduler>;
}

/** One monitor's place: a machine, a disk, a configuration file, and who starts it again when it ends. */
export class Site implements SiteView {
  readonly world: World;
  readonly name: string;
  readonly machine: Machine;
  readonly disk: Disk;
  readonly starts: number[] = [];
  countedStarts: number[] = [];
  lostMs = Number.NEGATIVE_INFINITY;
  diskFailedMs = Number.NEGATIVE_INFINITY;
  settingsSinceMs = 0;
  /** What the file says, and what it came to. */
  config: Config;
  settings: LoopSettings;
  /** False: nobody starts it again. */
  supervised = true;
  running: Running | undefined;
  /** Told before each call of an action. */
  beforeCall: (site: Site, intent: Intent) => void = () => {};
  #ids = 0;
  #incarnation = 0;

  constructor(world: World, input: { name: string; disk: Disk; document: Record<string, unknown> }) {
    this.world = world;
    this.name = input.name;
    this.disk = input.disk;
    this.machine = new Machine(world, input.name);
    this.config = this.#load(input.document);
    this.settings = loopSettings(this.config);
  }

  get bootedMs(): number {
    return this.machine.bootedMs;
  }

  get wallMs(): number {
    return this.machine.now().wallMs;
  }

  get wentOnMs(): number {
    return this.running?.process.wentOnMs ?? Number.NEGATIVE_INFINITY;
  }

  get #file(): string {
    return join(this.world.options.folder, `${this.name}.yml`);
  }

  #load(document: Record<string, unknown>): Config {
    const text = JSON.stringify(document);
    const { configs } = this.world;
    const before = configs.get(text);
    if (before !== undefined) return before;
    writeFileSync(this.#file, stringify(document));
    const config = loadConfig({ file: this.#file, env: {}, flags: {} });
    configs.set(text, config);
    return config;
  }

  get process(): Process | undefined {
    return this.running?.process.alive === true ? this.running.process : undefined;
  }

  get loop(): Loop | undefined {
    return this.process?.still === false ? this.running?.loop : undefined;
  }

  /** Starts the monitor; the supervisor sees to it from here on. */
  async start(): Promise<void> {
    if (this.process !== undefined || !this.supervised) return;
    const { world } = this;
    const process = new Process(world, this.machine);
    process.onExit(() => {
      this.disk.crash();
      world.time.after(RESTART_MS, () => void this.start());
    });
    this.#incarnation += 1;
    world.counts.starts += 1;
    world.line(`${this.name} starts`);
    let running: Running;
    try {
      running = this.#open(process);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      world.line(`${this.name} cannot start`);
      process.exit();
      world.time.after(RETRY_MS, () => void this.start());
      return;
    }
    this.running = running;
    this.starts.push(world.time.now);
    world.tell("start", this);
    process.busy += 1;
    try {
      await process.through(running.loop.start());
    } catch (error) {
      if (process.alive) this.#crash(error);
      return;
    } finally {
      process.busy -= 1;
    }
    running.scheduler = this.#schedule(running);
  }

  #crash(error: unknown): void {
    if (error instanceof Killed) return;
    const text = errorMessage(error);
    this.world.violate(4, `${this.name}: the monitor failed with "${text}" instead of a decision`);
  }

  #open(process: Process): Running {
    const { world } = this;
    const { plant } = world.options;
    const clock = plant?.clock?.(process.clock()) ?? process.clock();
    const soil: Soil = { now: () => world.time.now, settings: () => this.settings, clock, loop: () => made };
    let made: Loop | undefined;
    const seen: Seen = new PerSeries();
    const written: IntentFact[] = [];
    const wiring: Wiring = {
      process,
      site: this,
      written,
      beforeCall: (intent) => this.beforeCall(this, intent),
      diskFailed: () => {
        this.diskFailedMs = world.time.now;
      },
      kept: (kinds) => {
        const start = this.starts.at(-1) ?? 0;
        if (kinds.includes("guard") && this.countedStarts.at(-1) !== start) this.countedStarts.push(start);
      },
    };
    const opened = guardStore(this.disk.open(clock), wiring);
    const store = plant?.store?.(opened, soil) ?? opened;
    const network = new VirtualNetwork(
      world.time,
      serversOf({
        world,
        prometheus: prometheusHttp({ world, seen, series: () => knownOf(this.#plan(), world) }),
      }),
      () => process.alive,
    );
    const source = guardSource(openSource(this.#adapters(network, process, seen)), wiring);
    const actions = new Map<string, Action>();
    for (const [kind, action] of Object.entries(openActions(this.#adapters(network, process, seen)))) {
      const planted = plant?.action?.(guardAction(action, wiring), soil) ?? guardAction(action, wiring);
      actions.set(kind, planted);
    }
    const notifier = guardNotifier(openNotifier(this.#adapters(network, process, seen)), wiring);
    const reporter = this.#reporter(process, () => running);
    const newId = () => {
      this.#ids += 1;
      return `${this.name}-${this.#incarnation}-${this.#ids}`;
    };
    const deadline = (ms: number) => process.deadline(ms);
    made = createLoop(
      {
        clock,
        sources: [plant?.source?.(source, soil) ?? source],
        store,
        actions,
        reporter: plant?.reporter?.(reporter, soil) ?? reporter,
        notifier: plant?.notifier?.(notifier, soil) ?? notifier,
        newId: plant?.newId?.(newId) ?? newId,
        deadline: plant?.deadline?.(deadline) ?? deadline,
        admission: plant?.admission,
      },
      this.#planted(),
    );
    const tokens = createTokenSet({ value: WEB_TOKEN });
    const gate = createGate({ tokens, onRefusal: () => {} });
    const running: Running = {
      process,
      loop: plant?.loop?.(made, soil) ?? made,
      store,
      gate,
      seen,
      wiring,
    };
    return running;
  }

  #plan(): readonly Series[] {
    if (this.#planOf !== this.settings) this.#planned = makePlan(this.settings.targets);
    this.#planOf = this.settings;
    return this.#planned;
  }
  #planOf: LoopSettings | undefined;
  #planned: readonly Series[] = [];

  #adapters(network: VirtualNetwork, process: Process, seen: Seen): Adapters {
    return { world: this.world, config: this.config, machine: this.machine, network, process, seen };
  }

  #planted(): LoopSettings {
    return this.world.options.plant?.settings?.(this.settings) ?? this.settings;
  }

  #reporter(process: Process, running: () => Running): Reporter {
    const { world } = this;
    return {
      cycle: (report) => {
        if (!process.alive) return;
        const { seen, wiring } = running();
        world.counts.cycles += 1;
        this.#mix(report.decisions);
        const atMs = world.time.now;
        const intents = wiring.written.splice(0);
        const of = report.decisions.map((d) => seen.get(d.target, d.signal) ?? NEVER_SEEN);
        world.tell("cycle", { site: this, report, beganMs: this.#beganMs, atMs, seen: of, intents });
      },
      action: () => {},
      reconciled: () => {},
      notice: (event, fields) => {
        if (!process.alive) return;
        const target = fields.target === undefined ? "" : ` ${fields.target}`;
        world.line(`${this.name} notice ${event}${target}`);
        world.tell("notice", this, event, fields);
      },
    };
  }
  #beganMs = 0;

  #mix(decisions: readonly { reason: string; current: number | undefined; act: boolean }[]): void {
    const { world } = this;
    world.trace.mix(world.time.now | 0);
    for (const d of decisions) {
      world.mixText(d.reason);
      if (d.current !== undefined) world.trace.mixNumber(d.current);
    }
  }

  #schedule(running: Running): ReturnType<typeof startScheduler> {
    const { world } = this;
    const { process, loop } = running;
    const beats = (beat: () => void) => {
      const state = { over: false };
      const again = () => {
        if (state.over || !process.alive) return;
        if (!process.still) beat();
        next();
      };
      // A beat that begins no cycle sets nothing off.
      const next = () => world.time.after(BEAT_MS, again, () => process.busy === 0);
      next();
      return {
        destroy() {
          state.over = true;
        },
      };
    };
    return startScheduler({
      cycleMs: this.settings.cycleMs,
      monoMs: () => this.machine.now().monoMs,
      run: async () => {
        process.busy += 1;
        this.#beganMs = world.time.now;
        try {
          await loop.tick();
        } finally {
          process.busy -= 1;
        }
      },
      onMissed: () => {},
      onError: (error) => {
        if (process.alive) this.#crash(error);
      },
      beats,
    });
  }

  /** The machine boots anew, and with it the monitor. */
  reboot(): void {
    this.machine.reboot();
    this.countedStarts = [];
    this.process?.kill("reboot");
  }

  /** What is on its disk is damaged, which the next start finds: it comes at once. */
  lose(): void {
    const { world } = this;
    this.disk.damage();
    this.lostMs = world.time.now;
    this.countedStarts = [];
    for (const fact of world.intents.values()) if (fact.site === this) fact.lost = true;
    this.process?.kill("disk_torn");
  }

  /** SIGTERM: the cycle under way ends, and nothing new is called. */
  async stop(): Promise<void> {
    const { running, world } = this;
    const { process } = this;
    if (running === undefined || process === undefined) return;
    world.line(`${this.name} told to stop`);
    running.loop.stopActing();
    await running.scheduler?.stop(DRAIN_MS);
    if (!process.alive) return;
    process.exit();
    running.store.close();
    world.line(`${this.name} stopped`);
    world.time.after(RESTART_MS, () => void this.start());
  }

  /** SIGHUP with another file. False: it was refused, and the old one stays. */
  reload(document: Record<string, unknown>): boolean {
    let next: Config;
    try {
      next = this.#load(document);
    } catch {
      return false;
    }
    this.config = next;
    this.settings = loopSettings(next);
    this.settingsSinceMs = this.world.time.now;
    this.world.line(`${this.name} reloads`);
    this.loop?.reconfigure(this.#planted());
    return true;
  }

  /** `POST /api/v1/alerts/webhook`: the status that it is answered with; undefined: nobody answers. */
  async webhook(body: unknown, token: string | undefined): Promise<number | undefined> {
    const { running, loop, world } = this;
    if (running === undefined || loop === undefined) return undefined;
    const { clock, logger } = { clock: running.process.clock(), logger: SILENT };
    if (world.options.plant?.open !== true) {
      const nowMs = this.machine.now().monoMs;
      const verdict = running.gate.check({ token, address: "10.0.0.9", nowMs });
      if (verdict.kind !== "accepted") return verdict.kind === "refused" ? 401 : 429;
    }
    const api = alertsApi({ loop, clock, logger });
    const { alerts, problems } = api.readAlerts(body);
    try {
      await api.ingestAlerts(alerts);
    } catch (error) {
      if (error instanceof Killed) return undefined;
      if (error instanceof AlertsFullError) return 413;
      return 503;
    }
    return problems.length > 0 ? 400 : 200;
  }
}

const NEVER_SEEN = { atMs: -1, flaw: "never asked", value: 0, scrapedMs: -1 };
