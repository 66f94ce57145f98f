import type { Clock, Instant } from "../../../monitor/kernel/time.ts";
import { EPOCH_MS, TIMED_OUT } from "../engine/time.ts";
import type { World } from "./world.ts";

/** What a call of a process that is gone ends in. Whatever catches it can do no more harm: every port throws it. */
export class Killed extends Error {
  override readonly name = "Killed";
}

/** A machine: its clocks. */
export class Machine {
  readonly #world: World;
  /** How far its wall clock is off, milliseconds. */
  wallOffsetMs = 0;
  #boots = 1;
  #bootedMs = 0;

  readonly name: string;

  constructor(world: World, name: string) {
    this.#world = world;
    this.name = name;
  }

  get bootId(): string {
    return `${this.name}-boot-${this.#boots}`;
  }

  get bootedMs(): number {
    return this.#boots === 1 ? Number.NEGATIVE_INFINITY : this.#bootedMs;
  }

  reboot(): void {
    this.#boots += 1;
    this.#bootedMs = this.#world.time.now;
  }

  now(): Instant {
    const ms = this.#world.time.now;
    // Each boot has its own origin, so that readings of two of them cannot be mixed up unseen.
    return { wallMs: EPOCH_MS + ms + this.wallOffsetMs, monoMs: 10_000 * this.#boots + ms - this.#bootedMs };
  }
}

/** A process of a world: it can stand still, and it can be gone between any two of its calls. */
export class Process {
  readonly world: World;
  readonly machine: Machine;
  readonly bootId: string;
  #alive = true;
  #resume: (() => void) | undefined;
  #stopped: Promise<void> | undefined;
  /** Deadlines that passed while it stood still. */
  #overdue: (() => void)[] = [];
  /** Calls of ports until it is killed; undefined: not at all. */
  killIn: number | undefined;
  /** World time at which it last went on after it stood still. */
  wentOnMs = Number.NEGATIVE_INFINITY;
  /** Asynchronous work under way: while there is none, a deadline that passes is nobody's. */
  busy = 0;
  #onExit: () => void = () => {};

  constructor(world: World, machine: Machine) {
    this.world = world;
    this.machine = machine;
    this.bootId = machine.bootId;
  }

  get alive(): boolean {
    return this.#alive;
  }

  get still(): boolean {
    return this.#stopped !== undefined;
  }

  /** @param run called once, when it is gone */
  onExit(run: () => void): void {
    this.#onExit = run;
  }

  /** kill -9. */
  kill(why: string): void {
    if (!this.#alive) return;
    this.#alive = false;
    this.world.line(`${this.machine.name} killed: ${why}`);
    this.#onExit();
  }

  /** It ended by itself. */
  exit(): void {
    this.#alive = false;
  }

  /** SIGSTOP. */
  standStill(): void {
    if (this.#stopped !== undefined) return;
    this.#stopped = new Promise((resolve) => {
      this.#resume = resolve;
    });
  }

  /** SIGCONT: first it goes on with what it was doing, then it sees that deadlines have passed. */
  resumeTarget(): void {
    if (this.#stopped === undefined) return;
    this.wentOnMs = this.world.time.now;
    this.#resume?.();
    this.#stopped = undefined;
    const overdue = this.#overdue;
    this.#overdue = [];
    this.world.time.after(0, () => {
      if (this.#alive) for (const run of overdue) run();
    });
  }

  /** At the beginning of every call of a port. Throws `Killed` when it is gone. */
  step(port: string): void {
    if (!this.#alive) throw new Killed();
    this.world.mixText(port);
    if (this.killIn === undefined) return;
    this.killIn -= 1;
    if (this.killIn > 0) return;
    this.kill(`at ${port}`);
    throw new Killed();
  }

  /** Waits while it stands still; never resolves once it is gone. */
  async turn(): Promise<void> {
    while (this.#stopped !== undefined) await this.#stopped;
    if (!this.#alive) await NEVER;
  }

  /** The result of work outside, when the process gets round to it. */
  async through<T>(work: Promise<T>): Promise<T> {
    try {
      const result = await work;
      await this.turn();
      return result;
    } catch (error) {
      await this.turn();
      throw error;
    }
  }

  clock(): Clock {
    return { bootId: this.bootId, now: () => this.machine.now() };
  }

  deadline(ms: number): AbortSignal {
    const controller = new AbortController();
    const late = () => controller.abort(TIMED_OUT);
    this.world.time.after(
      ms,
      () => {
        if (!this.#alive || this.busy === 0) return;
        if (this.#stopped !== undefined) this.#overdue.push(late);
        else late();
      },
      () => this.busy === 0,
    );
    return controller.signal;
  }
}

const NEVER = new Promise<never>(() => {});
