import type { DatabaseSync } from "node:sqlite";
import type { ServiceClock } from "../kit/clock.ts";
import { openDurable } from "../queue/sqlite-file.ts";
import { REGIONS, type Region } from "./regions.ts";
import { TokenBucket } from "./token-bucket.ts";

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS controls (
    region TEXT NOT NULL, kind TEXT NOT NULL, value REAL NOT NULL, granted_ms INTEGER NOT NULL,
    until_ms INTEGER NOT NULL, PRIMARY KEY (region, kind)
  ) STRICT;
`;

type Kind = "rate-limit" | "isolation";

interface Control {
  readonly value: number;
  /** Monotonic. */
  readonly untilMs: number;
}

/** Why a region's message is not admitted now, and after how many seconds to come again. */
export interface Hindrance {
  readonly reason: "isolated" | "limited";
  readonly retryAfterS: number;
}

/**
 * What the control plane has set for a region: isolation and a rate limit, each with an expiry. Both are on disk before
 * a setter returns and survive a restart; neither outlives the time it was granted for, whatever the wall clock does.
 */
export class RegionControls {
  readonly #db: DatabaseSync;
  readonly #clock: ServiceClock;
  readonly #defaultPerSecond: number;
  readonly #active = new Map<string, Control>();
  readonly #buckets = new Map<Region, TokenBucket>();

  /** `defaultPerSecond`: messages a second a region may send when nothing is set. */
  constructor(options: {
    readonly file: string;
    readonly clock: ServiceClock;
    readonly defaultPerSecond: number;
    readonly onQuarantine?: (setAside: string, reason: string) => void;
  }) {
    this.#clock = options.clock;
    this.#defaultPerSecond = options.defaultPerSecond;
    this.#db = openDurable({ ...options, schema: SCHEMA, nowMs: options.clock.wallMs() });
    this.#restore();
    for (const region of REGIONS) {
      const perSecond = this.rateLimit(region);
      this.#buckets.set(region, new TokenBucket({ perSecond, nowMs: options.clock.monoMs() }));
    }
  }

  isolate(region: Region, seconds: number): void {
    this.#set(region, "isolation", 1, seconds);
  }

  /** Ends an isolation. False when there was none. */
  release(region: Region): boolean {
    const was = this.isolatedSeconds(region) > 0;
    this.#clear(region, "isolation");
    return was;
  }

  limit(region: Region, perSecond: number, seconds: number): void {
    this.#set(region, "rate-limit", perSecond, seconds);
    this.#tune(region);
  }

  /** Limits every region to the same rate: all of them, or none when it cannot be written down. */
  limitAll(perSecond: number, seconds: number): void {
    this.#together(() => {
      for (const region of REGIONS) this.limit(region, perSecond, seconds);
    });
  }

  /** Takes back the limits of regions, all or none; the default rate holds again. Answers which had one. */
  resetLimits(regions: readonly Region[]): Region[] {
    const limited = regions.filter((region) => this.#current(region, "rate-limit") !== undefined);
    this.#together(() => {
      for (const region of regions) this.#clear(region, "rate-limit");
    });
    for (const region of regions) this.#tune(region);
    return limited;
  }

  /** Seconds until the isolation of a region ends; 0 = it is not isolated. */
  isolatedSeconds(region: Region): number {
    const control = this.#current(region, "isolation");
    return control === undefined ? 0 : (control.untilMs - this.#clock.monoMs()) / 1_000;
  }

  /** Messages a second that a region may send now. */
  rateLimit(region: Region): number {
    return this.#current(region, "rate-limit")?.value ?? this.#defaultPerSecond;
  }

  /** Takes one message's share of the region's limit; or tells why not. */
  admit(region: Region): Hindrance | undefined {
    const isolated = this.isolatedSeconds(region);
    if (isolated > 0) return { reason: "isolated", retryAfterS: Math.ceil(isolated) };
    const waitMs = this.#tune(region)?.take(this.#clock.monoMs()) ?? 0;
    return waitMs === 0
      ? undefined
      : { reason: "limited", retryAfterS: Math.max(1, Math.ceil(waitMs / 1_000)) };
  }

  close(): void {
    this.#db.close();
  }

  #set(region: Region, kind: Kind, value: number, seconds: number): void {
    const grantedMs = Math.ceil(seconds * 1_000);
    this.#db
      .prepare(
        "INSERT OR REPLACE INTO controls (region, kind, value, granted_ms, until_ms) VALUES (?, ?, ?, ?, ?)",
      )
      .run(region, kind, value, grantedMs, Math.ceil(this.#clock.wallMs()) + grantedMs);
    this.#active.set(`${kind} ${region}`, { value, untilMs: this.#clock.monoMs() + grantedMs });
  }

  /** The region's bucket at the rate of now: it fills at the new rate from the moment of the change. */
  #tune(region: Region): TokenBucket | undefined {
    const bucket = this.#buckets.get(region);
    bucket?.setRate(this.rateLimit(region), this.#clock.monoMs());
    return bucket;
  }

  /** One transaction; what is in memory follows the disk when it fails. */
  #together(work: () => void): void {
    const before = new Map(this.#active);
    this.#db.exec("BEGIN IMMEDIATE");
    try {
      work();
      this.#db.exec("COMMIT");
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
      this.#active.clear();
      for (const [key, control] of before) this.#active.set(key, control);
      throw error;
    }
  }

  #current(region: Region, kind: Kind): Control | undefined {
    const control = this.#active.get(`${kind} ${region}`);
    if (control === undefined || control.untilMs > this.#clock.monoMs()) return control;
    // Its row need not go now: an expired one is not restored.
    this.#active.delete(`${kind} ${region}`);
    return undefined;
  }

  #clear(region: Region, kind: Kind): void {
    this.#db.prepare("DELETE FROM controls WHERE region = ? AND kind = ?").run(region, kind);
    this.#active.delete(`${kind} ${region}`);
  }

  #restore(): void {
    const wallMs = this.#clock.wallMs();
    for (const row of this.#db
      .prepare("SELECT region, kind, value, granted_ms, until_ms FROM controls")
      .all()) {
      // A wall clock that was set back must not prolong it.
      const leftMs = Math.min(Number(row.until_ms) - wallMs, Number(row.granted_ms));
      if (leftMs <= 0) continue;
      const control = { value: Number(row.value), untilMs: this.#clock.monoMs() + leftMs };
      this.#active.set(`${String(row.kind)} ${String(row.region)}`, control);
    }
    this.#db.prepare("DELETE FROM controls WHERE until_ms <= ?").run(Math.floor(wallMs));
  }
}
