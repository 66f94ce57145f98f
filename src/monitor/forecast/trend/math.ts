/**
 * ln(r) for the innovation of a sample: exact to 1e-4 within a factor of 1.7, monotone and bounded by +-3.07 beyond,
 * where innovations are clipped anyway. Series of 2 artanh((r - 1) / (r + 1)) to the fifth order.
 */
export function boundedLog(r: number): number {
  const s = (r - 1) / (r + 1);
  const s2 = s * s;
  return 2 * s * (1 + s2 * (1 / 3 + s2 / 5));
}

/** Standard normal distribution function; absolute error below 7.5e-8 (Abramowitz and Stegun 26.2.17). */
export function normalCdf(z: number): number {
  const a = Math.abs(z);
  if (a > 8) return z > 0 ? 1 : 0;
  const t = 1 / (1 + 0.2316419 * a);
  const poly =
    t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  const tail = 0.3989422804 * Math.exp(-0.5 * a * a) * poly;
  return z > 0 ? 1 - tail : tail;
}
