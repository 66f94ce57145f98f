import { z } from "zod";
import { ARTIFACT_FILE, fingerprint } from "../model/artifact.ts";
import type { Quality } from "../model/evaluation.ts";
import { type MlflowClient, SHA256_TAG } from "./client.ts";
import { MlflowError } from "./http.ts";
import type { ModelReference } from "./model-uri.ts";

/** The experiment that every tracking server has. */
const DEFAULT_EXPERIMENT = "0";
const FOLDER = "model";

/**
 * Registers an artifact as a new version: a run with the model's figures, the artifact, the version with its checksum,
 * and the stage or alias that the reference names. Answers the new version. Throws `MlflowError`.
 */
export async function publishModel(options: {
  readonly client: MlflowClient;
  readonly reference: ModelReference;
  readonly artifact: Buffer;
  readonly quality: Quality;
  readonly wallMs: number;
  readonly signal: AbortSignal;
}): Promise<string> {
  const { client, reference, artifact, signal } = options;
  const { name, selector } = reference;
  const run = await startRun(options);
  await client.upload(`${run.artifactUri}/${FOLDER}`, ARTIFACT_FILE, artifact, signal);
  await ensureRegistered(client, name, signal);
  const created = await client.send(
    "/mlflow/model-versions/create",
    {
      name,
      source: `${run.artifactUri}/${FOLDER}`,
      run_id: run.id,
      tags: [{ key: SHA256_TAG, value: fingerprint(artifact) }],
    },
    signal,
  );
  const { version } = z
    .object({ model_version: z.object({ version: z.coerce.string() }) })
    .parse(created).model_version;
  if (selector.kind === "alias") {
    await client.send("/mlflow/registered-models/alias", { name, alias: selector.alias, version }, signal);
  } else if (selector.kind === "stage") {
    const stage = { name, version, stage: selector.stage, archive_existing_versions: true };
    await client.send("/mlflow/model-versions/transition-stage", stage, signal);
  }
  await client.send(
    "/mlflow/runs/update",
    { run_id: run.id, status: "FINISHED", end_time: options.wallMs },
    signal,
  );
  return version;
}

const createdRun = z.object({
  run: z.object({ info: z.object({ run_id: z.string().min(1), artifact_uri: z.string().min(1) }) }),
});

async function startRun(options: {
  readonly client: MlflowClient;
  readonly quality: Quality;
  readonly wallMs: number;
  readonly signal: AbortSignal;
}): Promise<{ readonly id: string; readonly artifactUri: string }> {
  const { client, quality, wallMs, signal } = options;
  const answer = await client.send(
    "/mlflow/runs/create",
    { experiment_id: DEFAULT_EXPERIMENT, start_time: wallMs, run_name: "helius-reco training" },
    signal,
  );
  const { run_id: id, artifact_uri: artifactUri } = createdRun.parse(answer).run.info;
  const metrics = Object.entries(quality).map(([key, value]) => ({ key, value, timestamp: wallMs, step: 0 }));
  await client.send("/mlflow/runs/log-batch", { run_id: id, metrics }, signal);
  return { id, artifactUri };
}

async function ensureRegistered(client: MlflowClient, name: string, signal: AbortSignal): Promise<void> {
  try {
    await client.send("/mlflow/registered-models/create", { name }, signal);
  } catch (error) {
    if (error instanceof MlflowError && error.message.includes("RESOURCE_ALREADY_EXISTS")) return;
    throw error;
  }
}
