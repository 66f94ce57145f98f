import type { FaultEvent } from "../scenario.ts";

/** A fault that is under way. */
export interface Active {
  readonly event: FaultEvent;
  /** Calls that it still meets. */
  left: number;
  met: boolean;
}

/** The faults under way in one world, and how often each kind really struck. */
export class ActiveFaults {
  readonly #byKind = new Map<string, Active[]>();
  readonly #struck = new Map<number, string>();
  #count = 0;
  #most = 0;
  readonly #told: (event: FaultEvent) => void;

  /** @param told of each fault when it strikes for the first time. */
  constructor(told: (event: FaultEvent) => void) {
    this.#told = told;
  }

  begin(event: FaultEvent): void {
    const own = this.#byKind.get(event.kind);
    const active: Active = { event, left: event.hits, met: false };
    if (own === undefined) this.#byKind.set(event.kind, [active]);
    else own.push(active);
    this.#count += 1;
    this.#most = Math.max(this.#most, this.#count);
  }

  end(event: FaultEvent): void {
    const own = this.#byKind.get(event.kind);
    const at = own?.findIndex((a) => a.event === event) ?? -1;
    if (own === undefined || at < 0) return;
    own.splice(at, 1);
    this.#count -= 1;
  }

  /** The oldest of a kind under way, about this target or about none in particular. Nothing is counted. */
  find(kind: string, target = -1): Active | undefined {
    if (this.#count === 0) return undefined;
    const own = this.#byKind.get(kind);
    if (own === undefined || own.length === 0) return undefined;
    return own.find((a) => a.left > 0 && (a.event.target < 0 || target < 0 || a.event.target === target));
  }

  /** The same, and it strikes: one call fewer is left to it. */
  meet(kind: string, target = -1): Active | undefined {
    const active = this.find(kind, target);
    if (active !== undefined) this.strike(active);
    return active;
  }

  strike(active: Active): void {
    active.left -= 1;
    if (!active.met) this.felt(active.event);
    active.met = true;
    if (active.left <= 0) this.end(active.event);
  }

  /** An event struck; counted once each, also one that is over at once and was never under way. */
  felt(event: FaultEvent): void {
    if (this.#struck.has(event.id)) return;
    this.#struck.set(event.id, event.kind);
    this.#told(event);
  }

  /** Most at once. */
  get most(): number {
    return this.#most;
  }

  /** Events that struck, by kind. */
  struck(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const kind of this.#struck.values()) counts[kind] = (counts[kind] ?? 0) + 1;
    return counts;
  }
}
