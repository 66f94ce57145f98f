import { stringify } from "yaml";
import { createRandom, type Random } from "../engine/random.ts";
import { KINDS } from "../faults/catalogue.ts";
import { configOf, type FaultEvent, WEB_TOKEN } from "../scenario.ts";
import { type Alertmanager, webhookOf } from "./alertmanager.ts";
import type { Disk } from "./disk.ts";
import { PEOPLE } from "./people.ts";
import { Site } from "./site.ts";
import type { World } from "./world.ts";

type Document = Record<string, unknown>;
export type Change = (document: Document) => Document;

const MINUTE = 60_000;
const DAY = 86_400_000;

/** Makes the faults of a scenario happen, each at its time, and takes them back. */
export class Director {
  readonly #world: World;
  readonly #newDisk: (name: string) => Disk;
  /** The monitor that the world relies on. */
  main: Site;
  readonly sites: Site[] = [];
  #alertmanager: Alertmanager | undefined;
  /** What reloads have changed of the file, by event. */
  readonly #changes = new Map<number, Change>();
  #standbys = 0;

  constructor(world: World, newDisk: (name: string) => Disk) {
    this.#world = world;
    this.#newDisk = newDisk;
    this.main = this.#site("main");
  }

  /** Everything that is to happen is put on the clock. */
  begin(alertmanager: Alertmanager): void {
    const { time, scenario } = this.#world;
    this.#alertmanager = alertmanager;
    for (const event of scenario.events) time.after(event.atMs, () => this.#start(event));
    void this.main.start();
  }

  #site(name: string): Site {
    const site = new Site(this.#world, { name, disk: this.#newDisk(name), document: this.#document() });
    site.beforeCall = (of) => this.#beforeCall(of);
    this.sites.push(site);
    return site;
  }

  #document(): Document {
    let document: Document = configOf(this.#world.scenario);
    for (const change of this.#changes.values()) document = change(document);
    return document;
  }

  #start(event: FaultEvent): void {
    const { world } = this;
    const group = KINDS.get(event.kind)?.group;
    world.line(
      `fault ${event.id} ${event.kind} begins${event.target < 0 ? "" : ` (target ${event.target})`}`,
    );
    if (group === "health") {
      world.truth.begin(event);
      return;
    }
    const special = SPECIAL[event.kind];
    if (special === undefined) {
      world.faults.begin(event);
      world.time.after(event.forMs, () => world.faults.end(event));
      return;
    }
    world.faults.begin(event);
    special(this, event);
    world.time.after(Math.max(event.forMs, 1), () => world.faults.end(event));
  }

  get world(): World {
    return this.#world;
  }

  get alertmanager(): Alertmanager {
    if (this.#alertmanager === undefined) throw new Error("the director has not begun");
    return this.#alertmanager;
  }

  struck(event: FaultEvent): void {
    this.#world.faults.felt(event);
  }

  random(event: FaultEvent): Random {
    return createRandom(`event ${this.#world.scenario.seed} ${event.kind} ${event.x}`);
  }

  later(ms: number, run: () => void): void {
    this.#world.time.after(ms, run);
  }

  /**
   * Changes the file of the main monitor, and takes it back. A process that stands still hears of it later.
   * @param heard it has heard of it
   */
  reload(event: FaultEvent, change: Change, back: boolean, heard = () => {}): void {
    this.#changes.set(event.id, change);
    this.#reloadNow(() => {
      this.struck(event);
      heard();
    });
    if (back)
      this.later(event.forMs, () => {
        this.#changes.delete(event.id);
        this.#reloadNow(() => {});
      });
  }

  #reloadNow(done: () => void): void {
    const { main } = this;
    if (main.process?.still === true) {
      this.later(5000, () => this.#reloadNow(done));
      return;
    }
    if (!main.reload(this.#document()))
      throw new Error(`a reload was refused: ${stringify(this.#document())}`);
    done();
  }

  /** A newer monitor with a disk of its own. */
  standby(): Site {
    this.#standbys += 1;
    const site = this.#site(`standby-${this.#standbys}`);
    void site.start();
    return site;
  }

  /** One of two is enough: the one that stays is the main one from now on. */
  retire(gone: Site, stays: Site): void {
    gone.supervised = false;
    gone.process?.kill("retired");
    this.main = stays;
    this.#reloadNow(() => {});
  }

  /** Two monitors at once are enough. */
  get alone(): boolean {
    return this.sites.filter((site) => site.supervised).length === 1;
  }

  /** The call of the main monitor that is about to be made is held up, and meanwhile another takes over. */
  #beforeCall(site: Site): void {
    const { faults } = this.#world;
    const { process } = site;
    if (site !== this.main || process === undefined) return;
    const stall = process.still ? undefined : faults.meet("stall_before_call");
    if (stall !== undefined) {
      faults.end(stall.event);
      process.standStill();
      this.later((5 + 600 * stall.event.x ** 2) * 1000, () => process.resumeTarget());
      return;
    }
    const active = faults.find("leader_stopped");
    if (active === undefined || process.still || !this.alone) return;
    faults.strike(active);
    const { event } = active;
    faults.end(event);
    process.standStill();
    const standby = this.standby();
    const stillMs = (30 + 900 * event.x ** 2) * 1000;
    this.later(stillMs, () => process.resumeTarget());
    this.later(stillMs + (5 + 30 * event.y) * MINUTE, () => {
      if (event.y < 0.7) this.retire(site, standby);
      else this.retire(standby, site);
    });
  }
}

export type Special = (director: Director, event: FaultEvent) => void;

const kill: Special = (director, event) => {
  const { process } = director.main;
  if (process === undefined) return;
  process.kill(event.kind);
  director.struck(event);
};

/** Faults that are more than a state that calls run into. */
const SPECIAL: Readonly<Record<string, Special>> = {
  kill_idle: kill,
  kill_any(director, event) {
    const { process } = director.main;
    if (process === undefined) return;
    process.killIn = 1 + Math.floor(80 * event.x);
    director.struck(event);
  },
  crash_loop(director, event) {
    for (let n = 0; n < 5; n += 1) director.later((n * event.forMs) / 5, () => kill(director, event));
  },
  stop(director, event) {
    if (director.main.loop === undefined) return;
    director.struck(event);
    void director.main.stop();
  },
  reboot(director, event) {
    director.main.reboot();
    director.struck(event);
  },
  stall(director, event) {
    const { process } = director.main;
    if (process === undefined || process.still) return;
    process.standStill();
    director.struck(event);
    director.later(event.forMs, () => process.resumeTarget());
  },
  second_start(director, event) {
    const { main, world } = director;
    if (main.process === undefined) return;
    director.struck(event);
    try {
      main.disk.open(main.process.clock());
      world.violate(1, "a second monitor opened the journal that the first one holds");
    } catch {
      world.line("a second monitor is turned away");
    }
  },
  two_leaders(director, event) {
    if (!director.alone) return;
    const first = director.main;
    const standby = director.standby();
    director.struck(event);
    director.later(event.forMs, () => {
      if (event.y < 0.7) director.retire(first, standby);
      else director.retire(standby, first);
    });
  },
  reload(director, event) {
    const random = director.random(event);
    const predict = {
      sensitivity: random.pick(["strict", "default", "eager"]),
      window_samples: random.whole(10, 30),
      horizon_seconds: random.pick([120, 180, 300]),
    };
    director.reload(event, (d) => ({ ...d, predict }), false);
  },
  reload_invalid(director, event) {
    const { main, world } = director;
    if (main.loop === undefined) return;
    const wrong = { ...configOf(world.scenario), targets: [{ name: "", url: "no URL" }], surprise: true };
    if (main.reload(wrong)) world.violate(2, "a file that is wrong was taken at a reload");
    director.struck(event);
  },
  reload_drops(director, event) {
    const gone = Math.floor(event.x * director.world.scenario.targets.length);
    const drop: Change = (d) => ({ ...d, targets: (d.targets as unknown[]).filter((_, i) => i !== gone) });
    director.reload(event, drop, true);
  },
  disk_torn(director, event) {
    director.main.lose();
    director.struck(event);
  },
  wall_ahead: (director, event) => shift(director, event, DAY, false),
  wall_behind: (director, event) => shift(director, event, -DAY, false),
  wall_all_ahead: (director, event) => shift(director, event, DAY, true),
  wall_slews: (director, event) => shift(director, event, 16_000 * (event.x - 0.5), false),
  alert_forged(director, event) {
    const ghost = director.alertmanager.ghost(event.x, 900 + event.id);
    if (ghost === undefined) return;
    const token = event.y < 0.5 ? undefined : "guessed-token-0123456789";
    void director.main.webhook(webhookOf([ghost]), token).then((status) => {
      if (status === undefined) return;
      director.struck(event);
      director.world.line(`forged alert answered ${status}`);
    });
  },
  alert_garbage(director, event) {
    const entries = [null, { status: "firing" }, { status: "firing", labels: { alertname: 7 } }, 3];
    void director.main
      .webhook({ version: "4", alerts: entries }, WEB_TOKEN)
      .then((status) => status !== undefined && director.struck(event));
  },
  alert_future(director, event) {
    const ghost = director.alertmanager.ghost(event.x, 700 + event.id);
    if (ghost === undefined) return;
    ghost.startsAtMs += DAY;
    const { main } = director;
    void main.webhook(webhookOf([ghost]), WEB_TOKEN).then((status) => {
      if (status === undefined) return;
      director.struck(event);
      // For a monitor whose clock is a day ahead it does not lie in the future.
      if (status === 200) director.alertmanager.told(main, ghost);
    });
  },
  alert_silent(director, event) {
    const ghost = director.alertmanager.ghost(event.x, 500 + event.id);
    if (ghost === undefined) return;
    director.struck(event);
    director.alertmanager.tell(ghost);
  },
  alert_flaps(director, event) {
    const ghost = director.alertmanager.ghost(event.x, 300 + event.id);
    if (ghost === undefined) return;
    director.struck(event);
    for (let n = 0; n * MINUTE < event.forMs; n += 1)
      director.later(n * MINUTE, () => {
        const wall = ghost.startsAtMs + (n + 1) * MINUTE;
        const startsAtMs = ghost.startsAtMs + 2 * Math.floor(n / 2) * MINUTE;
        director.alertmanager.tell({ ...ghost, startsAtMs, endsAtMs: n % 2 === 0 ? undefined : wall });
      });
  },
  ...PEOPLE,
};

function shift({ world, main }: Director, event: FaultEvent, byMs: number, all: boolean): void {
  const move = (ms: number) => {
    main.machine.wallOffsetMs += ms;
    if (all) world.prometheus.wallOffsetMs += ms;
  };
  move(byMs);
  world.faults.felt(event);
  world.time.after(event.forMs, () => move(-byMs));
}
