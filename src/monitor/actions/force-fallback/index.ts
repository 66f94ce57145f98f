import { endsByItself, seconds } from "../shared/parameters.ts";
import { serviceAction } from "../shared/service.ts";

export const forceFallback = serviceAction({
  kind: "force-fallback",
  docs: { summary: "answers from the static list instead of the model", example: { seconds: "900" } },
  parameters: { seconds },
  undo: () => ({ kind: "release-fallback", parameters: {} }),
  expiresMs: endsByItself,
  answer: { forced_fallback: true, seconds: 900 },
});
