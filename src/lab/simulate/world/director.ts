import { stringify } from "yaml";
import type { Intent } from "../../../monitor/kernel/action.ts";
import { createRandom, type Random } from "../engine/random.ts";
import { KINDS } from "../faults/catalogue.ts";
import { configOf, type FaultEvent } from "../scenario.ts";
import type { Alertmanager } from "./alertmanager.ts";
import type { Disk } from "./disk.ts";
import { Site } from "./site.ts";
import { sayInCall } from "./words.ts";
import type { World } from "./world.ts";

type Document = Record<string, unknown>;
export type Change = (document: Document) => Document;

const MINUTE = 60_000;

/** Makes the faults of a scenario happen, each at its time, and takes them back. */
export class Director {
  readonly #world: World;
  readonly #newDisk: (name: string) => Disk;
  readonly #special: Readonly<Record<string, Special>>;
  /** The monitor that the world relies on. */
  main: Site;
  readonly sites: Site[] = [];
  #alertmanager: Alertmanager | undefined;
  /** What reloads have changed of the file, by event. */
  readonly #changes = new Map<number, Change>();
  #standbys = 0;

  constructor(world: World, newDisk: (name: string) => Disk, special: Readonly<Record<string, Special>>) {
    this.#special = special;
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
    site.beforeCall = (of, intent) => this.#beforeCall(of, intent);
    this.sites.push(site);
    return site;
  }

  #document(): Document {
    let document: Document = configOf(this.#world.scenario, this.#world.options.folder);
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
    const special = this.#special[event.kind];
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

  /** Just before a call of the main monitor a person speaks; or it is held up, and meanwhile another takes over. */
  #beforeCall(site: Site, intent: Intent): void {
    const { faults } = this.#world;
    const { process } = site;
    if (site !== this.main || process === undefined) return;
    const steps =
      site.settings.playbooks.find(({ name }) => name === intent.origin?.playbook)?.steps.length ?? 1;
    const more = intent.origin?.undoes === undefined && (intent.origin?.step ?? 0) + 1 < steps;
    const word = more ? faults.meet("word_in_call") : undefined;
    if (word !== undefined) sayInCall(this.#world, { site, intent, event: word.event });
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
