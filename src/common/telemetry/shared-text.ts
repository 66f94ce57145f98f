/**
 * Says yes at most `perSecond` times a second; as many may come at once after a calm second. `monoMs` is a monotonic
 * clock.
 */
export function pace(options: { readonly perSecond: number; readonly monoMs: () => number }): () => boolean {
  const { perSecond, monoMs } = options;
  let allowed = perSecond;
  let countedMs = monoMs();
  return () => {
    const nowMs = monoMs();
    allowed = Math.min(perSecond, allowed + ((nowMs - countedMs) / 1_000) * perSecond);
    countedMs = nowMs;
    if (allowed < 1) return false;
    allowed -= 1;
    return true;
  };
}

/**
 * A text that is made afresh each time it is asked for, except in a flood: beyond `perSecond` renderings those who ask
 * share the last one, so that they cannot starve the process. A rendering that fails is not shared.
 */
export function sharedText(options: {
  readonly render: () => string | Promise<string>;
  readonly perSecond: number;
  readonly monoMs: () => number;
}): () => Promise<string> {
  const mayRender = pace(options);
  let last: Promise<string> | undefined;
  return () => {
    if (!mayRender() && last !== undefined) return last;
    const made = new Promise<string>((resolve) => resolve(options.render()));
    last = made;
    made.catch(() => {
      if (last === made) last = undefined;
    });
    return made;
  };
}
