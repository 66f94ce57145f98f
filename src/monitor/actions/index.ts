import { forceFallback } from "./force-fallback/index.ts";
import { http } from "./http/index.ts";
import { isolateRegion } from "./isolate-region/index.ts";
import { mitigate } from "./mitigate/index.ts";
import { pauseStream } from "./pause-stream/index.ts";
import { releaseFallback } from "./release-fallback/index.ts";
import { releaseRegion } from "./release-region/index.ts";
import { replayDeadLetters } from "./replay-dead-letters/index.ts";
import { resetRateLimit } from "./reset-rate-limit/index.ts";
import { resumeStream } from "./resume-stream/index.ts";
import { retrain } from "./retrain/index.ts";
import { rolloutRestart } from "./rollout-restart/index.ts";
import { setRateLimit } from "./set-rate-limit/index.ts";
import type { ActionPlugin } from "./shared/context.ts";

/** Every kind of action, in the order people read them. A new one is a folder and a line here. */
export const actionPlugins: readonly ActionPlugin[] = [
  mitigate,
  setRateLimit,
  resetRateLimit,
  isolateRegion,
  releaseRegion,
  forceFallback,
  releaseFallback,
  pauseStream,
  resumeStream,
  retrain,
  replayDeadLetters,
  rolloutRestart,
  http,
];

/** The same by kind. */
export const actionKinds: ReadonlyMap<string, ActionPlugin> = new Map(
  actionPlugins.map((plugin) => [plugin.kind, plugin]),
);
