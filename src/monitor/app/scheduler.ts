export interface Scheduler {
  /** Cycles that were due and did not start: another was still running, or the process was held up past them. */
  missed(): number;
  setCycle(cycleMs: number): void;
  /** No further cycle starts; resolves once the one under way has ended or `waitMs` are over. */
  stop(waitMs: number): Promise<"idle" | "still running">;
}

/** What calls back about every second, until it is destroyed. */
export type Beats = (beat: () => void) => { destroy(): unknown };

const BEAT_MS = 1000;

/**
 * Seconds of the monotonic clock, without drift: each is armed from where it should have been. Not node-cron, which
 * counts on the wall clock: set back by a day it sleeps for a day, set forward it walks through 86,400 missed seconds.
 */
const monotonicBeats: Beats = (beat) => {
  let dueMs = performance.now() + BEAT_MS;
  let timer: NodeJS.Timeout;
  const arm = () => {
    timer = setTimeout(onSecond, Math.max(0, dueMs - performance.now()));
  };
  const onSecond = () => {
    const late = Math.max(0, Math.floor((performance.now() - dueMs) / BEAT_MS));
    dueMs += BEAT_MS * (1 + late);
    arm();
    beat();
  };
  arm();
  return { destroy: () => clearTimeout(timer) };
};

/** A beat may come this much early and still count as the next second, milliseconds. */
const SLACK_MS = 500;

/**
 * Calls `run` every `cycleMs`, never twice at once. The timer beats every second, so any whole number of seconds
 * is possible; which beat is due is decided on monotonic time, so that a jump of the wall clock neither
 * skips nor bunches cycles.
 */
export function startScheduler(options: {
  cycleMs: number;
  monoMs: () => number;
  run: () => Promise<void>;
  onMissed: () => void;
  onError: (error: unknown) => void;
  /** Default: seconds of the monotonic clock. */
  beats?: Beats;
}): Scheduler {
  let { cycleMs } = options;
  let dueMs = options.monoMs();
  let missed = 0;
  let running: Promise<void> | undefined;

  function beat(): void {
    const now = options.monoMs();
    if (now < dueMs - SLACK_MS) return;
    const late = Math.max(0, Math.floor((now - dueMs) / cycleMs));
    dueMs += cycleMs * (1 + late);
    for (let n = running === undefined ? late : late + 1; n > 0; n--) {
      missed += 1;
      options.onMissed();
    }
    if (running !== undefined) return;
    running = options
      .run()
      .catch(options.onError)
      .finally(() => {
        running = undefined;
      });
  }

  const task = (options.beats ?? monotonicBeats)(beat);
  beat();
  return {
    missed: () => missed,
    setCycle(next) {
      if (next === cycleMs) return;
      cycleMs = next;
      dueMs = Math.min(dueMs, options.monoMs() + next);
    },
    async stop(waitMs) {
      await task.destroy();
      if (running === undefined) return "idle";
      const timeout = new Promise<"late">((resolve) => setTimeout(resolve, waitMs, "late").unref());
      return (await Promise.race([running, timeout])) === "late" ? "still running" : "idle";
    },
  };
}
