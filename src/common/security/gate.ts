import { addressKey, Lockout, type LockoutRules } from "./lockout.ts";
import type { TokenSet } from "./tokens.ts";

/** What became of a caller who presented a token, or none. */
type Verdict =
  | { readonly kind: "accepted" }
  /** 401. */
  | { readonly kind: "refused"; readonly reason: "missing" | "wrong" }
  /** 429; the token was not looked at. */
  | { readonly kind: "locked_out"; readonly waitSeconds: number };

/**
 * For the audit log: many refusals are a few of these. `count` is how many refusals of the address the line stands for;
 * none is counted twice.
 */
export type RefusalEvent =
  | { readonly kind: "refused"; readonly address: string; readonly reason: string; readonly count: number }
  | {
      readonly kind: "locked_out";
      readonly address: string;
      readonly count: number;
      readonly waitSeconds: number;
    }
  /** `count` knocked while they were locked out. */
  | { readonly kind: "lockout_ended"; readonly address: string; readonly count: number };

export interface Gate {
  /** Judges one caller. `nowMs` is monotonic. */
  check(caller: {
    readonly token: string | undefined;
    readonly address: string;
    readonly nowMs: number;
  }): Verdict;
  /** Notes, for the audit log, a caller who was not let in for another reason. */
  turnedAway(caller: { readonly address: string; readonly reason: string; readonly nowMs: number }): void;
  /** Tells what was counted and not told yet; to be called every few seconds. */
  flush(nowMs: number): void;
  /** Addresses locked out now. */
  lockedOut(nowMs: number): number;
}

/** Sums are told at most so often, and an address that stays quiet for so long is forgotten, milliseconds. */
const SUM_MS = 10_000;
/** Addresses whose refusals are told by name; those beyond share the name `others`. */
const MAX_NAMED = 100;

interface Tally {
  untold: number;
  toldMs: number;
  lastMs: number;
  /** Undefined: never locked out. */
  lockedUntilMs: number | undefined;
}

/**
 * Lets callers with a valid token in and makes guessing slow: see `Lockout`. Who is locked out is not looked at, so
 * that an attacker cannot tell a right guess from a wrong one. `onRefusal` gets the first refusal of an address at
 * once, then its lockouts and sums: a flood makes few events.
 */
export function createGate(options: {
  readonly tokens: TokenSet;
  readonly onRefusal?: (event: RefusalEvent) => void;
  readonly rules?: Partial<LockoutRules>;
}): Gate {
  const { tokens } = options;
  const lockout = new Lockout(options.rules);
  const audit = createAudit(options.onRefusal ?? (() => {}));
  return {
    check({ token, address, nowMs }) {
      const name = addressKey(address);
      const waitMs = lockout.waitMs(name, nowMs);
      if (waitMs > 0) {
        audit.note(name, "locked out", nowMs);
        return { kind: "locked_out", waitSeconds: Math.ceil(waitMs / 1_000) };
      }
      if (tokens.accepts(token)) {
        lockout.succeeded(name);
        return { kind: "accepted" };
      }
      const reason = token === undefined ? "missing" : "wrong";
      audit.note(name, reason, nowMs);
      const { lockedMs } = lockout.failed(name, nowMs);
      if (lockedMs > 0) audit.lockedOut(name, lockedMs, nowMs);
      return { kind: "refused", reason };
    },
    turnedAway: ({ address, reason, nowMs }) => audit.note(addressKey(address), reason, nowMs),
    flush: (nowMs) => audit.flush(nowMs),
    lockedOut: (nowMs) => lockout.lockedOut(nowMs),
  };
}

function createAudit(tell: (event: RefusalEvent) => void) {
  const tallies = new Map<string, Tally>();
  return {
    note(address: string, reason: string, nowMs: number): void {
      const name = tallies.has(address) || tallies.size < MAX_NAMED ? address : "others";
      const tally = tallies.get(name);
      if (tally === undefined) {
        tallies.set(name, { untold: 0, toldMs: nowMs, lastMs: nowMs, lockedUntilMs: undefined });
        tell({ kind: "refused", address: name, reason, count: 1 });
        return;
      }
      tally.untold += 1;
      tally.lastMs = nowMs;
    },
    lockedOut(address: string, lockedMs: number, nowMs: number): void {
      const tally = tallies.get(address);
      // One beyond the bound is in the sum of the others.
      if (tally === undefined) return;
      const waitSeconds = Math.ceil(lockedMs / 1_000);
      tell({ kind: "locked_out", address, count: tally.untold, waitSeconds });
      Object.assign(tally, { untold: 0, toldMs: nowMs, lockedUntilMs: nowMs + lockedMs });
    },
    flush(nowMs: number): void {
      for (const [address, tally] of tallies) {
        if (nowMs < (tally.lockedUntilMs ?? 0)) continue;
        const quiet = nowMs - tally.lastMs >= SUM_MS;
        if (quiet) tallies.delete(address);
        if (quiet && tally.lockedUntilMs !== undefined)
          tell({ kind: "lockout_ended", address, count: tally.untold });
        else if (tally.untold > 0 && nowMs - tally.toldMs >= SUM_MS) {
          tell({ kind: "refused", address, reason: "repeated", count: tally.untold });
          Object.assign(tally, { untold: 0, toldMs: nowMs });
        }
      }
    },
  };
}
