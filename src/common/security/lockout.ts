/** How patient a lockout is; every time in milliseconds. */
export interface LockoutRules {
  /** Failures of one key, without `pauseMs` of peace between any two, that lock it out. */
  readonly maxFailures: number;
  readonly pauseMs: number;
  /** Length of the first lockout; each further one is twice as long. */
  readonly firstLockMs: number;
  readonly maxLockMs: number;
  /** After so long without a failure a key starts anew. */
  readonly forgetMs: number;
  /** At most so many keys are remembered; those that failed longest ago go first. */
  readonly maxKeys: number;
}

const LOCKOUT_RULES: LockoutRules = {
  maxFailures: 10,
  pauseMs: 60_000,
  firstLockMs: 30_000,
  maxLockMs: 900_000,
  forgetMs: 3_600_000,
  maxKeys: 20_000,
};

interface Entry {
  failures: number;
  lastFailureMs: number;
  /** Lockouts so far. */
  lockouts: number;
  lockedUntilMs: number;
}

/**
 * Counts failures by key: 10 without a minute of peace lock a key out for 30 s, then 60 s, up to 15 minutes. Other keys
 * are never affected, and memory is bounded. `nowMs` is monotonic.
 */
export class Lockout {
  readonly #entries = new Map<string, Entry>();
  readonly #rules: LockoutRules;

  constructor(rules: Partial<LockoutRules> = {}) {
    this.#rules = { ...LOCKOUT_RULES, ...rules };
  }

  /** Milliseconds this key must still wait; 0: none. */
  waitMs(key: string, nowMs: number): number {
    const entry = this.#entries.get(key);
    return entry === undefined ? 0 : Math.max(0, entry.lockedUntilMs - nowMs);
  }

  /** Whether this key has failed lately. */
  knows(key: string): boolean {
    return this.#entries.has(key);
  }

  /** Notes a failure. Answers how many there were in a row, and the lockout that it began, or 0. */
  failed(key: string, nowMs: number): { readonly failures: number; readonly lockedMs: number } {
    const { maxFailures, pauseMs, firstLockMs, maxLockMs, forgetMs, maxKeys } = this.#rules;
    const old = this.#entries.get(key);
    const kept = old !== undefined && nowMs - old.lastFailureMs < forgetMs ? old : undefined;
    const entry = kept ?? fresh(nowMs);
    if (nowMs - entry.lastFailureMs >= pauseMs) entry.failures = 0;
    entry.failures += 1;
    entry.lastFailureMs = nowMs;
    const { failures } = entry;
    let lockedMs = 0;
    if (failures >= maxFailures) {
      lockedMs = Math.min(maxLockMs, firstLockMs * 2 ** Math.min(entry.lockouts, 30));
      entry.lockouts += 1;
      entry.lockedUntilMs = nowMs + lockedMs;
      entry.failures = 0;
    }
    // Set again, so that the order of the map is that of the last failures.
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    if (this.#entries.size > maxKeys) this.#forgetOldest(Math.ceil(maxKeys / 10));
    return { failures, lockedMs };
  }

  /** Several at once: a map that loses its first entry again and again takes ever longer to find the next. */
  #forgetOldest(count: number): void {
    let left = count;
    for (const key of this.#entries.keys()) {
      if (left === 0) return;
      this.#entries.delete(key);
      left -= 1;
    }
  }

  /** Keys locked out now. */
  locked(nowMs: number): string[] {
    return [...this.#entries].flatMap(([key, { lockedUntilMs }]) => (lockedUntilMs > nowMs ? [key] : []));
  }

  /** Keys remembered. */
  get size(): number {
    return this.#entries.size;
  }
}

function fresh(nowMs: number): Entry {
  return { failures: 0, lastFailureMs: nowMs, lockouts: 0, lockedUntilMs: nowMs };
}
