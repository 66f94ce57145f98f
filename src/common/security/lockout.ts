import { isIPv6 } from "node:net";

/** How patient a lockout is; every time in milliseconds. */
export interface LockoutRules {
  /** Failures of one address, without `pauseMs` of peace between any two, that lock it out. */
  readonly maxFailures: number;
  readonly pauseMs: number;
  /** Length of the first lockout; each further one is twice as long. */
  readonly firstLockMs: number;
  readonly maxLockMs: number;
  /** After so long without a failure an address starts anew. */
  readonly forgetMs: number;
  /** At most so many addresses are remembered; those that failed longest ago go first. */
  readonly maxAddresses: number;
}

const LOCKOUT_RULES: LockoutRules = {
  maxFailures: 10,
  pauseMs: 60_000,
  firstLockMs: 30_000,
  maxLockMs: 900_000,
  forgetMs: 3_600_000,
  maxAddresses: 10_000,
};

interface Entry {
  failures: number;
  lastFailureMs: number;
  /** Lockouts so far. */
  lockouts: number;
  lockedUntilMs: number;
}

/**
 * Counts refused credentials by address, so that guessing is slow: 10 failures without a minute of peace lock an
 * address out for 30 s, then 60 s, up to 15 minutes. Other addresses are never affected, and memory is bounded. `nowMs` is monotonic.
 */
export class Lockout {
  readonly #entries = new Map<string, Entry>();
  readonly #rules: LockoutRules;

  constructor(rules: Partial<LockoutRules> = {}) {
    this.#rules = { ...LOCKOUT_RULES, ...rules };
  }

  /** Milliseconds this address must still wait; 0: it may try. What it presents meanwhile must not be looked at. */
  waitMs(address: string, nowMs: number): number {
    const entry = this.#entries.get(addressKey(address));
    return entry === undefined ? 0 : Math.max(0, entry.lockedUntilMs - nowMs);
  }

  /** Notes a refused credential. Answers how many there were in a row, and the lockout that it began, or 0. */
  failed(address: string, nowMs: number): { readonly failures: number; readonly lockedMs: number } {
    const { maxFailures, pauseMs, firstLockMs, maxLockMs, forgetMs, maxAddresses } = this.#rules;
    const key = addressKey(address);
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
    if (this.#entries.size > maxAddresses) {
      const oldest = this.#entries.keys().next().value;
      if (oldest !== undefined) this.#entries.delete(oldest);
    }
    return { failures, lockedMs };
  }

  /** Notes an accepted credential: the address starts anew. */
  succeeded(address: string): void {
    this.#entries.delete(addressKey(address));
  }

  /** Addresses locked out now. */
  lockedOut(nowMs: number): number {
    let count = 0;
    for (const entry of this.#entries.values()) if (entry.lockedUntilMs > nowMs) count += 1;
    return count;
  }

  /** Addresses remembered. */
  get size(): number {
    return this.#entries.size;
  }
}

function fresh(nowMs: number): Entry {
  return { failures: 0, lastFailureMs: nowMs, lockouts: 0, lockedUntilMs: nowMs };
}

/** One name for what one attacker can easily vary: an IPv6 address counts as its /64 network, a mapped one as IPv4. */
export function addressKey(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  const bare = address.split("%", 1)[0] ?? address;
  if (!isIPv6(bare)) return address;
  const [head = "", tail] = bare.split("::", 2);
  const left = head === "" ? [] : head.split(":");
  const right = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = tail === undefined ? [] : Array.from({ length: 8 - left.length - right.length }, () => "0");
  const groups = [...left, ...zeros, ...right].slice(0, 4);
  return `${groups.map((group) => Number.parseInt(group, 16).toString(16)).join(":")}::/64`;
}
