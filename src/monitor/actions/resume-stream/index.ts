import { serviceAction } from "../shared/service.ts";

export const resumeStream = serviceAction({
  kind: "resume-stream",
  docs: { summary: "ends a pause of the stream before its time", example: {} },
  parameters: {},
  answer: { stream_paused: false },
});
