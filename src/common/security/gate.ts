import { createHash } from "node:crypto";
import { addressKey } from "./addresses.ts";
import { Lockout, type LockoutRules } from "./lockout.ts";
import type { TokenSet } from "./tokens.ts";

/** What became of a caller who presented a token, or none. */
type Verdict =
  | { readonly kind: "accepted" }
  /** 401. */
  | { readonly kind: "refused"; readonly reason: "missing" | "wrong" }
  /** 429: wrong once more, after too many wrong ones. */
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
  /** `count` wrong ones came while it lasted. */
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
 * Lets callers with a valid token in, always. Wrong ones are counted by credential and address, and the different ones of
 * an address together: after ten of either, what is wrong is told to wait (see `Lockout`). Nobody can so keep out who has
 * the right one, from the same address or another; what makes guessing hopeless is the length of the token. A missing
 * token is not a wrong one. `onRefusal` gets the first refusal of an address at once, then its lockouts and sums: a flood
 * makes few events.
 */
export function createGate(options: {
  readonly tokens: TokenSet;
  readonly onRefusal?: (event: RefusalEvent) => void;
  readonly rules?: Partial<LockoutRules>;
}): Gate {
  const { tokens } = options;
  const lockout = new Lockout(options.rules);
  const audit = createAudit(options.onRefusal ?? (() => {}));
  /** Counts one wrong token; answers how long to wait if it began a lockout, or 0. */
  const failed = (name: string, credential: string, nowMs: number): number => {
    const another = !lockout.knows(credential);
    const { lockedMs } = lockout.failed(credential, nowMs);
    return Math.max(lockedMs, another ? lockout.failed(name, nowMs).lockedMs : 0);
  };
  return {
    check({ token, address, nowMs }) {
      if (tokens.accepts(token)) return { kind: "accepted" };
      const name = addressKey(address);
      if (token === undefined) {
        audit.note(name, "missing", nowMs);
        return { kind: "refused", reason: "missing" };
      }
      const credential = `${name} ${createHash("sha256").update(token).digest("base64").slice(0, 16)}`;
      const waitMs = Math.max(lockout.waitMs(name, nowMs), lockout.waitMs(credential, nowMs));
      if (waitMs > 0) {
        audit.note(name, "locked out", nowMs);
        return { kind: "locked_out", waitSeconds: Math.ceil(waitMs / 1_000) };
      }
      audit.note(name, "wrong", nowMs);
      const lockedMs = failed(name, credential, nowMs);
      if (lockedMs > 0) audit.lockedOut(name, lockedMs, nowMs);
      return { kind: "refused", reason: "wrong" };
    },
    turnedAway: ({ address, reason, nowMs }) => audit.note(addressKey(address), reason, nowMs),
    flush: (nowMs) => audit.flush(nowMs),
    lockedOut: (nowMs) => new Set(lockout.locked(nowMs).map((key) => key.split(" ", 1)[0])).size,
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
