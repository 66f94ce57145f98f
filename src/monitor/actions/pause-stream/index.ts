import { endsByItself, seconds } from "../shared/parameters.ts";
import { serviceAction } from "../shared/service.ts";

export const pauseStream = serviceAction({
  kind: "pause-stream",
  docs: { summary: "keeps live data out of the next training", example: { seconds: "900" } },
  parameters: { seconds },
  undo: () => ({ kind: "resume-stream", parameters: {} }),
  expiresMs: endsByItself,
  answer: { stream_paused: true, seconds: 900 },
});
