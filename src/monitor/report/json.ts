/** A time of the wall clock as JSON has it: ISO 8601, UTC. @param ms Unix epoch. */
export function iso(ms: number): string {
  return new Date(ms).toISOString();
}

/** The same; null where it is not known, or never. */
export function isoOrNull(ms: number | undefined): string | null {
  return ms === undefined || !Number.isFinite(ms) ? null : iso(ms);
}

/** A number as JSON has it; what is unknown is null, never zero. Six digits are enough for people and machines. */
export function figure(value: number | undefined, digits = 6): number | null {
  return value === undefined || !Number.isFinite(value) ? null : Number(value.toPrecision(digits));
}
