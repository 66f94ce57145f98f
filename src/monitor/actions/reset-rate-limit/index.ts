import { regionOrAll } from "../shared/parameters.ts";
import { serviceAction } from "../shared/service.ts";

export const resetRateLimit = serviceAction({
  kind: "reset-rate-limit",
  docs: { summary: "ends a rate limit before its time", example: { region: "us-east-1" } },
  parameters: { region: regionOrAll },
  answer: { action: "reset-rate-limit", region: "us-east-1" },
});
