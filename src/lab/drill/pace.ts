/** How a run was told to heal: not at all (the monitor decides and calls nobody), in full, or on alerts alone. */
const HEALS = ["off", "on", "alerts"] as const;
export type Heal = (typeof HEALS)[number];

/** What a real installation runs with (config/helius.yml), seconds. */
const REAL = { cycleS: 30, rateWindowS: 60, cooldownS: 300, horizonS: 180, regionWindowS: 20 } as const;

export const SPEEDS = { least: 1, most: 60, usual: 30 } as const;

/** How much faster than a real installation a drill runs, and what the monitor's timers are then. Times in seconds. */
export interface Pace {
  readonly speed: number;
  readonly cycleS: number;
  readonly rateWindowS: number;
  readonly cooldownS: number;
  /** Not shortened. */
  readonly horizonS: number;
  readonly regionWindowS: number;
  /** Seconds of the drill for so many seconds of a real installation. */
  readonly s: (realS: number) => number;
  /** Messages a second where it is `perSecond` at the usual speed: what waits in a queue is then the same. */
  readonly rate: (perSecond: number) => number;
}

/**
 * The pace of a speed: cycle, rate window, cooldown, windows and `for` of alerts and the incident itself are divided by
 * it, down to the shortest the monitor takes (1 s cycles, rate windows of two). Throws `RangeError`.
 */
export function paceOf(speed: number): Pace {
  if (!(speed >= SPEEDS.least && speed <= SPEEDS.most))
    throw new RangeError(`speed is ${speed}: expected a number from ${SPEEDS.least} to ${SPEEDS.most}`);
  const cycleS = Math.max(1, Math.round(REAL.cycleS / speed));
  return {
    speed,
    cycleS,
    rateWindowS: Math.max(2 * cycleS, Math.round(REAL.rateWindowS / speed)),
    cooldownS: Math.max(1, REAL.cooldownS / speed),
    horizonS: REAL.horizonS,
    // Shorter, the few messages of a drill would be noise.
    regionWindowS: Math.max(5, REAL.regionWindowS / speed),
    s: (realS) => realS / speed,
    rate: (perSecond) => (perSecond * speed) / SPEEDS.usual,
  };
}

/** What the speed makes of the timers, for people. */
export function describePace(pace: Pace): string {
  const { speed, cycleS, rateWindowS, cooldownS, horizonS, regionWindowS } = pace;
  if (speed === 1) return "speed 1: the timers of a real installation";
  const short = (n: number) => String(Number(n.toPrecision(3)));
  return (
    `speed ${short(speed)}: cycle ${cycleS} s (${REAL.cycleS}), rate window ${rateWindowS} s (${REAL.rateWindowS}), ` +
    `cooldown ${short(cooldownS)} s (${REAL.cooldownS}), window of regions ${short(regionWindowS)} s (${REAL.regionWindowS}), ` +
    `windows and "for" of alerts ÷ ${short(speed)}; ` +
    `horizon ${horizonS} s, not shortened`
  );
}
