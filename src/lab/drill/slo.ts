/** Contract: levels that the monitor watches by default. */
export const SLO_QUEUE = 100;
export const SLO_P95_MS = 300;
export const SLO_INVALID = 0.05;
