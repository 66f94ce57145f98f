import { oneRegion, wholeNumber } from "../shared/parameters.ts";
import { serviceAction } from "../shared/service.ts";

export const replayDeadLetters = serviceAction({
  kind: "replay-dead-letters",
  docs: { summary: "puts dead letters back into the queue", example: { region: "us-east-1", limit: "100" } },
  parameters: {
    region: { required: false, check: oneRegion },
    limit: { required: false, check: wholeNumber("dead letters", 10_000) },
  },
  answer: { replayed: 0 },
});
