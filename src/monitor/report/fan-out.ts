import type { Reporter } from "../cycle/types.ts";

/** One reporter out of several. One that fails is left out of that call: telling never stops the loop. */
export function fanOut(reporters: readonly Reporter[], onError: (error: unknown) => void): Reporter {
  const each = (tell: (r: Reporter) => void) => {
    for (const reporter of reporters) {
      try {
        tell(reporter);
      } catch (error) {
        onError(error);
      }
    }
  };
  return {
    cycle: (report) => each((r) => r.cycle(report)),
    action: (record) => each((r) => r.action(record)),
    reconciled: (intent, outcome) => each((r) => r.reconciled(intent, outcome)),
    notice: (event, fields) => each((r) => r.notice(event, fields)),
  };
}
