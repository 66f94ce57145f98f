import { Agent } from "undici";
import { onTestFinished } from "vitest";

/** What the attempts of an action under test need; its waits take no time, but count against the deadline. */
export function testAttempts() {
  const waits: number[] = [];
  let slept = 0;
  const dispatcher = new Agent();
  onTestFinished(() => dispatcher.destroy());
  const attempts = {
    dispatcher,
    retry: { maxAttempts: 3, baseMs: 100, maxMs: 1_000 },
    maxResponseBytes: 65_536,
    random: () => 0.5,
    sleep: async (ms: number) => {
      waits.push(ms);
      slept += ms;
    },
    now: () => performance.now() + slept,
  };
  return { attempts, waits };
}
