import { type Closing, LONG_MS, SAID } from "../closing.testkit.ts";

/** A person silences the target. */
const close: Closing = ({ loop, time }, who) => {
  const { wallMs } = time.clock.now();
  loop.controls.silence({
    ...{ target: who, signal: "*", action: "*", author: SAID.by, reason: SAID.reason },
    ...{ startsAtMs: wallMs, endsAtMs: wallMs + LONG_MS },
  });
};

export const closings = { silenced: close };
