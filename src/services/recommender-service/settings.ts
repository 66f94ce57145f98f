import type { Env } from "../kit/env.ts";
import { ServiceConfigError } from "../kit/errors.ts";
import { MODEL_URI_FORMS, type ModelReference, parseModelUri } from "./mlflow/model-uri.ts";

export interface RegistrySettings {
  readonly trackingUri: URL;
  readonly reference: ModelReference;
  /** Time between two looks at the registry, milliseconds. */
  readonly pollMs: number;
  /** For one call about metadata, milliseconds; an artifact may take six times as long. */
  readonly deadlineMs: number;
}

export interface RecommenderSettings {
  /** Undefined: there is no registry, and none is missed. */
  readonly registry: RegistrySettings | undefined;
  /** Train a model at the start when neither the registry nor the disk is to give one. */
  readonly trainOnStart: boolean;
}

export const DEFAULT_MODEL_URI = "models:/helius-reco/Production";

/** Settings that only this service has. Throws `ServiceConfigError` naming the variable and what would be right. */
export function readRecommenderSettings(env: Env): RecommenderSettings {
  const tracking = env.MLFLOW_TRACKING_URI || undefined;
  const reference = modelReference(env);
  const pollMs = 1_000 * secondsOf(env, "RECOMMENDER_POLL_SECONDS", { fallback: 30, min: 0.05, max: 3_600 });
  const deadlineMs =
    1_000 * secondsOf(env, "RECOMMENDER_MLFLOW_TIMEOUT_SECONDS", { fallback: 5, min: 0.05, max: 60 });
  return {
    registry:
      tracking === undefined
        ? undefined
        : { trackingUri: trackingUri(tracking), reference, pollMs, deadlineMs },
    trainOnStart: switchOf(env, "RECOMMENDER_TRAIN_ON_START"),
  };
}

/** The model of `MLFLOW_MODEL_URI`. Throws `ServiceConfigError`. */
export function modelReference(env: Env): ModelReference {
  const text = env.MLFLOW_MODEL_URI || DEFAULT_MODEL_URI;
  const reference = parseModelUri(text);
  if (reference !== undefined) return reference;
  throw new ServiceConfigError(`MLFLOW_MODEL_URI is ${JSON.stringify(text)}: expected ${MODEL_URI_FORMS}`);
}

/** Checks `MLFLOW_TRACKING_URI`. Throws `ServiceConfigError`. */
export function trackingUri(text: string): URL {
  const url = URL.parse(text);
  const plain = url !== null && url.username === "" && url.search === "" && url.hash === "";
  if (plain && (url.protocol === "http:" || url.protocol === "https:")) return url;
  throw new ServiceConfigError(
    `MLFLOW_TRACKING_URI is ${JSON.stringify(text.replace(/\/\/[^/@]*@/, "//…@"))}: expected the address of a tracking server such as http://mlflow-tracker:5000, without credentials`,
  );
}

function secondsOf(
  env: Env,
  name: string,
  range: { readonly fallback: number; readonly min: number; readonly max: number },
): number {
  const text = env[name] || undefined;
  if (text === undefined) return range.fallback;
  const seconds = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (seconds >= range.min && seconds <= range.max) return seconds;
  throw new ServiceConfigError(
    `${name} is ${JSON.stringify(text)}: expected seconds, ${range.min} <= seconds <= ${range.max}`,
  );
}

function switchOf(env: Env, name: string): boolean {
  const text = env[name] || "0";
  if (text === "1") return true;
  if (text === "0") return false;
  throw new ServiceConfigError(`${name} is ${JSON.stringify(text)}: expected 1 or 0`);
}
