import { type Closing, SAID } from "../closing.testkit.ts";

/** A person pauses all acting. */
const close: Closing = ({ loop }) => {
  loop.controls.pause(SAID);
};

export const closings = { paused: close };
