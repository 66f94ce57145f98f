import { serviceAction } from "../shared/service.ts";

export const releaseFallback = serviceAction({
  kind: "release-fallback",
  docs: { summary: "ends a forced fallback before its time", example: {} },
  parameters: {},
  answer: { forced_fallback: false },
});
