/**
 * A text that is made afresh each time it is asked for, except in a flood: beyond `perSecond` renderings (as many may
 * come at once after a calm second) those who ask share the last one, so that they cannot starve the process.
 * `monoMs` is a monotonic clock. A rendering that fails is not shared.
 */
export function sharedText(options: {
  readonly render: () => string | Promise<string>;
  readonly perSecond: number;
  readonly monoMs: () => number;
}): () => Promise<string> {
  const { render, perSecond, monoMs } = options;
  let last: Promise<string> | undefined;
  let allowed = perSecond;
  let countedMs = monoMs();
  return () => {
    const nowMs = monoMs();
    allowed = Math.min(perSecond, allowed + ((nowMs - countedMs) / 1_000) * perSecond);
    countedMs = nowMs;
    if (last !== undefined && allowed < 1) return last;
    allowed -= 1;
    const made = new Promise<string>((resolve) => resolve(render()));
    last = made;
    made.catch(() => {
      if (last === made) last = undefined;
    });
    return made;
  };
}
