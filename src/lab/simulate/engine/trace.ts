import { hashText } from "./random.ts";

/** What happened in a world, as one number that any difference changes, and as lines for people. */
export interface Trace {
  /** Mixes one whole number in. */
  mix(value: number): void;
  /** Mixes the bits of any number in. */
  mixNumber(value: number): void;
  /** Something rare enough for a line of its own. */
  line(atMs: number, text: string): void;
  /** The newest lines, oldest first. */
  lines(): readonly string[];
  /** 16 hexadecimal digits. */
  hash(): string;
}

/** @param keep how many lines to keep. */
export function createTrace(keep: number): Trace {
  let a = 0x811c9dc5;
  let b = 0x9e3779b1;
  const bits = new Float64Array(1);
  const words = new Uint32Array(bits.buffer);
  let lines: string[] = [];
  const mix = (value: number): void => {
    a = Math.imul(a ^ value, 0x01000193);
    b = Math.imul(b ^ value ^ (a >>> 13), 0x85ebca6b);
    b ^= b >>> 15;
  };
  return {
    mix,
    mixNumber(value) {
      bits[0] = value;
      mix(words[0] as number);
      mix(words[1] as number);
    },
    line(atMs, text) {
      mix(atMs | 0);
      mix(hashText(text));
      if (keep === 0) return;
      lines.push(`${clockText(atMs)} ${text}`);
      if (lines.length > 2 * keep) lines = lines.slice(-keep);
    },
    lines: () => lines.slice(-keep),
    hash: () => (a >>> 0).toString(16).padStart(8, "0") + (b >>> 0).toString(16).padStart(8, "0"),
  };
}

/** Time since the start of the world, as `h:mm:ss.mmm`. */
export function clockText(ms: number): string {
  const two = (n: number) => String(Math.floor(n)).padStart(2, "0");
  const seconds = (ms % 60_000) / 1000;
  return `${Math.floor(ms / 3_600_000)}:${two((ms / 60_000) % 60)}:${seconds.toFixed(3).padStart(6, "0")}`;
}
