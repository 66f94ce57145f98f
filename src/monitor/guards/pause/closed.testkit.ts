import { type Closing, SAID } from "../closing.testkit.ts";

/** A person pauses all acting. */
export const close: Closing = ({ loop }) => {
  loop.controls.pause(SAID);
};
