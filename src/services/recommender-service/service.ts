import { json } from "express";
import type { ServiceDefinition, StartOptions } from "../kit/definition.ts";
import { type RunningService, startService } from "../kit/service.ts";
import { recommenderActions } from "./actions.ts";
import { DriftFault } from "./drift.ts";
import { readPredictInput } from "./input.ts";
import { openRecommender, type Recommender } from "./recommender.ts";
import { readRecommenderSettings } from "./settings.ts";

/** Largest body of a request, bytes. */
const MAX_BODY = "16kb";

/** Recommendations with their reasons, from the registry's model, its copy on disk, or a static list. */
export const recommenderService: ServiceDefinition = {
  name: "recommender-service",
  job: "recommender-service",
  defaultPort: 8001,
  summary: "product recommendations that explain themselves, with a static fallback",
  start: startRecommender,
};

async function startRecommender(options: StartOptions): Promise<RunningService> {
  const settings = readRecommenderSettings(options.env);
  const drift = new DriftFault();
  let opened: Recommender | undefined;
  const recommender = () => {
    if (opened === undefined) throw new Error("the recommender is not open yet");
    return opened;
  };
  return startService({
    ...options,
    name: recommenderService.name,
    healthName: "helius-reco-service",
    extraFaults: [drift],
    extraMitigations: recommenderActions(recommender),
    routes: (app, ctx) => {
      opened = openRecommender(ctx, settings, drift);
      ctx.addHealth(() => recommender().health());
      app.post("/predict", json({ limit: MAX_BODY }), (request, response) => {
        response.json(recommender().engine.predict(readPredictInput(request.body)));
      });
    },
  });
}
