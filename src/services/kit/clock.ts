/** The two clocks of a service; injected so that tests need not wait. */
export interface ServiceClock {
  /** Wall clock, milliseconds since the Unix epoch. For labels and ages that outlive the process. */
  wallMs(): number;
  /** Monotonic clock, milliseconds from an arbitrary origin. For durations. */
  monoMs(): number;
}

export const systemClock: ServiceClock = {
  wallMs: () => Date.now(),
  monoMs: () => performance.now(),
};
