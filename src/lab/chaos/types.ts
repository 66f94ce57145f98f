/** What one scenario came to. Durations in milliseconds. */
export interface Findings {
  readonly scenario: string;
  /** How often the fault was brought about. */
  readonly times: number;
  /** Effects that services made under the monitor's keys. */
  readonly effects: number;
  readonly duplicateEffects: number;
  readonly lostRecords: number;
  /** From the start of a process to its first finished cycle; none where nothing was restarted. */
  readonly recoveriesMs: readonly number[];
  /** In one sentence each; empty: every promise was kept. */
  readonly violations: readonly string[];
}

export interface ChaosOptions {
  /** How many kill -9, over all kill scenarios. */
  readonly kills: number;
  /** Path of the `prometheus` program. */
  readonly prometheus: string;
  readonly random: () => number;
  /** A campaign of kills ends after so long even if it is not done; it then says how many there were. Default: never. */
  readonly minutes?: number;
  /** Breaks off: every process is ended all the same. */
  readonly signal?: AbortSignal;
  /** Fewer kinds of fault and shorter pauses: what every test run has time for. */
  readonly brief?: boolean;
  readonly onProgress: (text: string) => void;
}

export type Scenario = (options: ChaosOptions) => Promise<Findings>;
