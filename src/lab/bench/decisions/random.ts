/** A small seeded generator (sfc32), so that every run can be repeated from its label. */
export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
  /** Uniform in [low, high). */
  between(low: number, high: number): number;
  /** Log-uniform in [low, high). */
  logBetween(low: number, high: number): number;
  /** Standard normal. */
  normal(): number;
  /** Exponential with the given mean. */
  exponential(mean: number): number;
  /** Number of successes in n trials: exact for few expected, normal approximation for many. */
  binomial(n: number, p: number): number;
}

/** FNV-1a over the label: runs with different labels are independent. */
export function hashText(label: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < label.length; i++) {
    h ^= label.charCodeAt(i);
    h = Math.imul(h, 0x01000193);
  }
  return h >>> 0;
}

/** Random numbers fixed by `label`. */
export function createRandom(label: string): Random {
  let a = hashText(label);
  let b = hashText(`${label}/b`);
  let c = 0x9e3779b9;
  let d = 1;
  let spare = Number.NaN;
  const next = (): number => {
    const t = (((a + b) | 0) + d) | 0;
    d = (d + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (c << 21) | (c >>> 11);
    c = (c + t) | 0;
    return (t >>> 0) / 4294967296;
  };
  for (let i = 0; i < 16; i++) next();
  const normal = (): number => {
    if (!Number.isNaN(spare)) {
      const kept = spare;
      spare = Number.NaN;
      return kept;
    }
    let x = 0;
    let y = 0;
    let s = 0;
    do {
      x = 2 * next() - 1;
      y = 2 * next() - 1;
      s = x * x + y * y;
    } while (s >= 1 || s === 0);
    const factor = Math.sqrt((-2 * Math.log(s)) / s);
    spare = y * factor;
    return x * factor;
  };
  const binomial = (n: number, p: number): number => {
    const mean = n * p;
    if (mean > 30 && n * (1 - p) > 30) {
      return Math.max(0, Math.min(n, Math.round(mean + normal() * Math.sqrt(mean * (1 - p)))));
    }
    if (p <= 0) return 0;
    // Geometric gaps between successes: as many steps as there are successes.
    const logQ = Math.log(1 - Math.min(p, 0.999999));
    let hits = 0;
    for (let at = 0; ; hits++) {
      at += Math.floor(Math.log(1 - next()) / logQ) + 1;
      if (at > n) return hits;
    }
  };
  return {
    next,
    between: (low, high) => low + (high - low) * next(),
    logBetween: (low, high) => low * (high / low) ** next(),
    normal,
    exponential: (mean) => -mean * Math.log(1 - next()),
    binomial,
  };
}
