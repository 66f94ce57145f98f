import { isObject } from "../../../common/net/json.ts";
import type { Intent } from "../../kernel/action.ts";

/** Annotation of the pod template that kubectl's own `rollout restart` sets: changing it restarts the pods. */
export const RESTARTED_AT = "kubectl.kubernetes.io/restartedAt";
/** Annotation of the object: keys of the intents that were carried out on it, oldest first, as a JSON list. */
export const INTENTS = "helius-self-heal/intents";
/** Annotation of the object: the highest epoch that has acted on it. */
export const EPOCH = "helius-self-heal/epoch";
/** Keys kept on an object: more than can be open at the same time. */
const MAX_KEYS = 16;

/** What the API server says of a workload, as far as it matters here. */
export interface Seen {
  readonly resourceVersion: string;
  readonly keys: readonly string[];
  readonly epoch: number;
  readonly restartedAt: string | undefined;
  readonly generation: number | undefined;
  /** Why changing its template would restart nothing; undefined: it would. */
  readonly hindrance: string | undefined;
}

type Json = Readonly<Record<string, unknown>>;

/** @returns what the object says, or why it cannot be acted on by what it says. */
export function readWorkload(json: Json | undefined): Seen | { readonly problem: string } {
  const metadata = objectOf(json?.metadata);
  const { resourceVersion } = metadata;
  if (typeof resourceVersion !== "string" || json?.spec === undefined) {
    return { problem: "the answer is not an object of the API server" };
  }
  const annotations = objectOf(metadata.annotations);
  const keys = keysOf(annotations[INTENTS]);
  const epoch = annotations[EPOCH] === undefined ? 0 : Number(annotations[EPOCH]);
  if (keys === undefined || !Number.isSafeInteger(epoch)) {
    const name = keys === undefined ? INTENTS : EPOCH;
    return {
      problem: `its annotation ${name} is not what the monitor writes; remove it (kubectl annotate … ${name}-)`,
    };
  }
  const restartedAt = templateAnnotations(json)[RESTARTED_AT];
  return {
    resourceVersion,
    keys,
    epoch,
    restartedAt: typeof restartedAt === "string" ? restartedAt : undefined,
    generation: typeof metadata.generation === "number" ? metadata.generation : undefined,
    hindrance: hindranceOf(json, metadata),
  };
}

/**
 * The change that restarts a workload once for an intent: the time comes from the intent, so that the same one again
 * changes nothing, and the version that was read must still be the newest, so that of two at once only one comes through.
 */
export function restartPatch(intent: Intent, seen: Seen): Json {
  return {
    metadata: {
      resourceVersion: seen.resourceVersion,
      annotations: {
        [INTENTS]: JSON.stringify([...seen.keys, intent.id].slice(-MAX_KEYS)),
        [EPOCH]: String(intent.epoch),
      },
    },
    spec: { template: { metadata: { annotations: { [RESTARTED_AT]: restartTime(intent) } } } },
  };
}

/** RFC 3339, as kubectl writes it. */
export function restartTime(intent: Intent): string {
  return new Date(intent.at.wallMs).toISOString();
}

function hindranceOf(json: Json, metadata: Json): string | undefined {
  const spec = objectOf(json.spec);
  if (metadata.deletionTimestamp !== undefined) return "it is being deleted";
  if (spec.paused === true) return "its rollout is paused; resume it first (kubectl rollout resume)";
  if (objectOf(spec.updateStrategy).type === "OnDelete") {
    return "its update strategy is OnDelete: a changed template restarts nothing";
  }
  return undefined;
}

function templateAnnotations(json: Json): Json {
  const template = objectOf(objectOf(json.spec).template);
  return objectOf(objectOf(template.metadata).annotations);
}

function keysOf(annotation: unknown): readonly string[] | undefined {
  if (annotation === undefined) return [];
  try {
    const keys: unknown = JSON.parse(String(annotation));
    return Array.isArray(keys) && keys.every((key) => typeof key === "string") ? keys : undefined;
  } catch {
    return undefined;
  }
}

function objectOf(value: unknown): Json {
  return isObject(value) ? value : {};
}
