import { serviceAction } from "../shared/service.ts";

export const retrain = serviceAction({
  kind: "retrain",
  docs: { summary: "trains the model anew, and swaps it in where it is no worse", example: {} },
  parameters: {},
  answer: { retraining: true, started: true },
});
