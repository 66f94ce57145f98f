/** A call that is due at a moment of virtual time. */
export interface Due {
  readonly atMs: number;
  cancelled: boolean;
}

interface Entry extends Due {
  readonly order: number;
  readonly run: () => void;
  /** Asked after it: it has set nothing off, so that the event loop need not come to rest before the next one. */
  readonly quiet: () => boolean;
}

/** One for all: to make one costs more than all else that a deadline does. */
export const TIMED_OUT = new DOMException("The operation timed out", "TimeoutError");

/** Wall clock at the start of every world: 2026-03-02T00:00:00Z, a Monday. */
export const EPOCH_MS = Date.UTC(2026, 2, 2);

const LOUD = () => false;

/**
 * The one clock of a world, in milliseconds since its start, and everything that is due on it. Time moves only in
 * `runUntil`, from one due call to the next, and only once all that the last one set off has come to rest.
 */
export class VirtualTime {
  now = 0;
  #order = 0;
  #stopped = false;
  #streams = false;
  readonly #heap: Entry[] = [];
  readonly #settle: () => Promise<void>;

  /** @param settle resolves once the event loop has come to rest; real, whatever was installed in its place. */
  constructor(settle: () => Promise<void> = settleOnce) {
    this.#settle = settle;
  }

  /** Calls `run` after `ms`, in the order of becoming due, then of being asked for. */
  after(ms: number, run: () => void, quiet: () => boolean = LOUD): Due {
    const atMs = this.now + Math.max(0, ms);
    this.#order += 1;
    const entry: Entry = { atMs, order: this.#order, run, quiet, cancelled: false };
    this.#push(entry);
    return entry;
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => void this.after(ms, resolve));
  }

  /** Streams are at work: they put off what they do at their end by one more turn of the event loop. */
  streams(): void {
    this.#streams = true;
  }

  async #rest(): Promise<void> {
    await this.#settle();
    if (!this.#streams) return;
    this.#streams = false;
    await this.#settle();
  }

  /** Nothing further is called: `runUntil` returns at the next opportunity. */
  stop(): void {
    this.#stopped = true;
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  async runUntil(endMs: number): Promise<void> {
    await this.#rest();
    for (;;) {
      const next = this.#heap[0];
      if (next === undefined || next.atMs > endMs || this.#stopped) break;
      this.#pop();
      if (next.cancelled) continue;
      this.now = Math.max(this.now, next.atMs);
      next.run();
      if (!next.quiet()) await this.#rest();
    }
    if (!this.#stopped) this.now = endMs;
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let i = heap.length;
    heap.push(entry);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!before(entry, heap[parent] as Entry)) break;
      heap[i] = heap[parent] as Entry;
      i = parent;
    }
    heap[i] = entry;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop() as Entry;
    if (heap.length === 0) return;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1] as Entry, heap[child] as Entry)) child += 1;
      if (!before(heap[child] as Entry, last)) break;
      heap[i] = heap[child] as Entry;
      i = child;
    }
    heap[i] = last;
  }
}

function before(a: Entry, b: Entry): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}

const realImmediate = setImmediate;

/** One turn of the event loop: every microtask and tick callback has run by then. */
function settleOnce(): Promise<void> {
  return new Promise((resolve) => void realImmediate(resolve));
}

/** A timer as Node's: what the clients ask of it. */
class VirtualTimer {
  readonly due: Due;
  constructor(due: Due) {
    this.due = due;
  }
  ref(): this {
    return this;
  }
  unref(): this {
    return this;
  }
  hasRef(): boolean {
    return true;
  }
}

/**
 * Puts virtual time in the place of this thread's timers, `performance.now`, `Date.now` and `AbortSignal.timeout`, so
 * that the clients' deadlines and waits run on it unchanged. `setImmediate` stays: it is no time.
 * @param time the world's clock, asked anew at each call; @returns puts the real ones back.
 */
export function installTime(time: () => VirtualTime): () => void {
  const { setTimeout, clearTimeout, setInterval, clearInterval } = globalThis;
  const timeout = AbortSignal.timeout;
  const dateNow = Date.now;
  const put = (name: string, value: unknown) =>
    Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  const clear = (timer: unknown) => {
    if (timer instanceof VirtualTimer) timer.due.cancelled = true;
  };
  put(
    "setTimeout",
    (run: (...args: unknown[]) => void, ms = 0, ...args: unknown[]) =>
      new VirtualTimer(time().after(ms, () => run(...args))),
  );
  put("clearTimeout", clear);
  put("setInterval", () => {
    throw new Error("nothing in a simulated process repeats by itself");
  });
  put("clearInterval", clear);
  Object.defineProperty(performance, "now", { value: () => time().now, configurable: true });
  Date.now = () => EPOCH_MS + time().now;
  AbortSignal.timeout = (ms: number) => {
    const controller = new AbortController();
    time().after(ms, () => controller.abort(TIMED_OUT));
    return controller.signal;
  };
  return () => {
    put("setTimeout", setTimeout);
    put("clearTimeout", clearTimeout);
    put("setInterval", setInterval);
    put("clearInterval", clearInterval);
    Reflect.deleteProperty(performance, "now");
    Date.now = dateNow;
    AbortSignal.timeout = timeout;
  };
}
