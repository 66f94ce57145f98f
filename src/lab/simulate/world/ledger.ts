import {
  type Answer,
  LEDGER_MAX_AGE_MS,
  type Ledger,
  type LedgerEntry,
} from "../../../services/kit/ledger.ts";

/** A service's ledger without its file: it outlives the service's process, as the file does. */
export class MemoryLedger implements Pick<Ledger, keyof Ledger> {
  readonly #entries = new Map<string, LedgerEntry>();
  #epoch: number | undefined;
  /** The fence before it was last raised. */
  before: number | undefined;
  /** While set, nothing can be written. */
  full: () => boolean = () => false;
  /** While set, a call that was begun cannot be completed. */
  unfinished: () => boolean = () => false;

  find(key: string, nowMs: number): LedgerEntry | undefined {
    const entry = this.#entries.get(key);
    return entry !== undefined && entry.atMs > nowMs - LEDGER_MAX_AGE_MS ? entry : undefined;
  }

  begin(entry: { readonly key: string; readonly call: string; readonly atMs: number }): void {
    if (this.full()) throw new Error("database or disk is full");
    this.#entries.set(entry.key, { ...entry, answer: undefined });
  }

  finish(key: string, answer: Answer): void {
    const entry = this.#entries.get(key);
    if (this.unfinished()) throw new Error("disk I/O error");
    if (entry !== undefined) this.#entries.set(key, { ...entry, answer });
  }

  abandon(key: string): void {
    if (this.#entries.get(key)?.answer === undefined) this.#entries.delete(key);
  }

  epoch(): number | undefined {
    return this.#epoch;
  }

  raiseEpoch(epoch: number): void {
    this.before = this.#epoch;
    this.#epoch = Math.max(this.#epoch ?? 0, epoch);
  }

  count(): number {
    return this.#entries.size;
  }

  close(): void {}
}
