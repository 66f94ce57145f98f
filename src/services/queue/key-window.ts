import { hash } from "node:crypto";

/** Bytes of a fingerprint. */
export const FINGERPRINT_BYTES = 16;

/** 128 bits of SHA-256 over lane and key. */
export function fingerprint(lane: string, key: string): Buffer {
  return hash("sha256", `${lane}\u0000${key}`, "buffer").subarray(0, FINGERPRINT_BYTES);
}

/**
 * The fingerprints seen within a window, in two generations of at most `maxKeys`: one is remembered for at least
 * `windowMs` and at most twice as long, unless more than `maxKeys` come within a window; then for the last `maxKeys` at
 * least. Memory: 32 to 64 bytes a fingerprint.
 */
export class KeyWindow {
  readonly #windowMs: number;
  readonly #maxKeys: number;
  #current: Generation;
  #previous: Generation;

  constructor(options: { readonly windowMs: number; readonly maxKeys: number; readonly nowMs: number }) {
    this.#windowMs = options.windowMs;
    this.#maxKeys = options.maxKeys;
    this.#current = new Generation(options.nowMs);
    this.#previous = new Generation(options.nowMs);
  }

  has(key: Buffer): boolean {
    return this.#current.has(key) || this.#previous.has(key);
  }

  /** Remembers a fingerprint. Answers true when older ones were forgotten on the way. */
  add(key: Buffer, nowMs: number): boolean {
    // A clock that was set back must not stretch the generation beyond its window.
    const age = Math.abs(nowMs - this.#current.startMs);
    const rotate = age >= this.#windowMs || this.#current.size >= this.#maxKeys;
    if (rotate) {
      this.#previous = this.#current;
      this.#current = new Generation(nowMs);
    }
    this.#current.add(key);
    return rotate;
  }

  /** Fingerprints remembered. */
  get size(): number {
    return this.#current.size + this.#previous.size;
  }

  /** What was added before this time is forgotten; milliseconds since the epoch. */
  get sinceMs(): number {
    return Math.min(this.#previous.startMs, this.#current.startMs);
  }
}

/** An open-addressed set of 128-bit keys. Zero marks a free slot. */
class Generation {
  readonly startMs: number;
  size = 0;
  #slots = 1_024;
  #words = new Uint32Array(this.#slots * 4);

  constructor(startMs: number) {
    this.startMs = startMs;
  }

  has(key: Buffer): boolean {
    return this.#words[this.#find(...wordsOf(key))] !== 0;
  }

  add(key: Buffer): void {
    if ((this.size + 1) * 2 > this.#slots) this.#grow();
    if (this.#put(...wordsOf(key))) this.size += 1;
  }

  /** Offset of the key's slot, or of the free slot where it would be. */
  #find(a: number, b: number, c: number, d: number): number {
    const words = this.#words;
    const mask = this.#slots - 1;
    for (let slot = b & mask; ; slot = (slot + 1) & mask) {
      const at = slot * 4;
      if (words[at] === 0) return at;
      if (words[at] === a && words[at + 1] === b && words[at + 2] === c && words[at + 3] === d) return at;
    }
  }

  #put(a: number, b: number, c: number, d: number): boolean {
    const at = this.#find(a, b, c, d);
    if (this.#words[at] !== 0) return false;
    this.#words[at] = a;
    this.#words[at + 1] = b;
    this.#words[at + 2] = c;
    this.#words[at + 3] = d;
    return true;
  }

  #grow(): void {
    const old = this.#words;
    this.#slots *= 2;
    this.#words = new Uint32Array(this.#slots * 4);
    for (let at = 0; at < old.length; at += 4) {
      const first = old[at] ?? 0;
      if (first !== 0) this.#put(first, old[at + 1] ?? 0, old[at + 2] ?? 0, old[at + 3] ?? 0);
    }
  }
}

/** The first word is never zero, so that it can mark a free slot. */
function wordsOf(key: Buffer): [number, number, number, number] {
  return [key.readUInt32LE(0) || 1, key.readUInt32LE(4), key.readUInt32LE(8), key.readUInt32LE(12)];
}
