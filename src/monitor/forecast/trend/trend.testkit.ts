/** Standard normals from a fixed seed (mulberry32 and Box-Muller). */
export function normals(seed: number): () => number {
  let a = seed | 0;
  const uniform = () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  return () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
}

/** Lognormal factors of mean 1 whose logs are a moving average of two: as a one-minute rate read twice a minute. */
export function noise(seed: number, cv: number): () => number {
  const normal = normals(seed);
  const s = Math.sqrt(Math.log(1 + cv * cv));
  let last = normal();
  return () => {
    const now = normal();
    const g = (now + last) / Math.SQRT2;
    last = now;
    return Math.exp(s * g - (s * s) / 2);
  };
}
