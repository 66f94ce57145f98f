import { realpathSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Agent } from "undici";
import type { Env } from "../kit/env.ts";
import { MlflowClient } from "./mlflow/client.ts";
import { MlflowError } from "./mlflow/http.ts";
import type { ModelReference } from "./mlflow/model-uri.ts";
import { publishModel } from "./mlflow/publish.ts";
import { decodeModel, fingerprint } from "./model/artifact.ts";
import { buildModel, TRAINING } from "./model/build.ts";
import { DEFAULT_MODEL_URI, modelReference, trackingUri } from "./settings.ts";
import { writeDurably } from "./state/durable-file.ts";

const HELP = `Trains the recommender's model from generated interactions and prints how good it is.

  --users N        simulated customers, 100 to 100000 (default ${TRAINING.users})
  --seed N         seed they are generated from (default ${TRAINING.seed})
  --out FILE       write the model's artifact to FILE
  --publish        register it as a new version with the MLflow at MLFLOW_TRACKING_URI, under the name, stage or alias
                   of MLFLOW_MODEL_URI (default ${DEFAULT_MODEL_URI})
  --if-missing     with --publish: nothing where the registry has such a version
  --print-static   print the lists for model/static-model.ts
  --help           print this
`;

/** Length of the list built in: 50 recommendations beside a history of 100. */
const STATIC_LENGTH = 150;
const DEADLINE_MS = 10_000;

/**
 * The training command. `print` gets whole lines. Answers the exit code: 0, 1 when the model could not be delivered, 2
 * for a wrong argument.
 */
export async function train(
  args: readonly string[],
  context: { readonly env: Env; readonly print: (line: string) => void; readonly wallMs: number },
): Promise<number> {
  const { print } = context;
  let options: TrainOptions;
  try {
    options = readOptions(args);
  } catch (error) {
    print((error as Error).message);
    return 2;
  }
  if (options.help) {
    print(HELP.trimEnd());
    return 0;
  }
  try {
    const present = options.publish && options.ifMissing ? await registered(context.env) : undefined;
    if (present !== undefined) {
      print(`already registered     ${present}`);
      return 0;
    }
  } catch (error) {
    print((error as Error).message);
    return 1;
  }
  const { artifact, quality } = buildModel({ ...options, live: [], wallMs: context.wallMs });
  const percent = (ratio: number) => `${(100 * ratio).toFixed(1)} %`;
  print(`held-out interactions  ${quality.held_out}`);
  print(`hit-rate@5 model       ${percent(quality.hit_rate_at_5)}`);
  print(`hit-rate@5 top-N       ${percent(quality.baseline_hit_rate_at_5)}`);
  print(`artifact               ${artifact.length} bytes, sha256 ${fingerprint(artifact)}`);
  if (options.printStatic) printStatic(artifact, print);
  try {
    if (options.out !== undefined) {
      writeDurably(options.out, artifact);
      print(`written to             ${options.out}`);
    }
    if (options.publish) print(`registered as          ${await publish(artifact, quality, context)}`);
    return 0;
  } catch (error) {
    print((error as Error).message);
    return 1;
  }
}

interface TrainOptions {
  readonly users: number;
  readonly seed: number;
  readonly out: string | undefined;
  readonly publish: boolean;
  readonly ifMissing: boolean;
  readonly printStatic: boolean;
  readonly help: boolean;
}

function readOptions(args: readonly string[]): TrainOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      users: { type: "string", default: String(TRAINING.users) },
      seed: { type: "string", default: String(TRAINING.seed) },
      out: { type: "string" },
      publish: { type: "boolean", default: false },
      "if-missing": { type: "boolean", default: false },
      "print-static": { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  return {
    users: wholeNumber("--users", values.users, { min: 100, max: 100_000 }),
    seed: wholeNumber("--seed", values.seed, { min: 0, max: 2 ** 32 - 1 }),
    out: values.out,
    publish: values.publish,
    ifMissing: values["if-missing"],
    printStatic: values["print-static"],
    help: values.help,
  };
}

function wholeNumber(
  flag: string,
  text: string,
  range: { readonly min: number; readonly max: number },
): number {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= range.min && value <= range.max) return value;
  throw new Error(
    `${flag} is ${JSON.stringify(text)}: expected a whole number, ${range.min} <= N <= ${range.max}`,
  );
}

async function withRegistry<T>(
  env: Env,
  ask: (client: MlflowClient, reference: ModelReference, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const reference = modelReference(env);
  const dispatcher = new Agent();
  try {
    const client = new MlflowClient({
      trackingUri: trackingUri(env.MLFLOW_TRACKING_URI ?? ""),
      dispatcher,
      deadlineMs: DEADLINE_MS,
    });
    return await ask(client, reference, new AbortController().signal);
  } finally {
    await dispatcher.destroy();
  }
}

/** The version that the registry has under the reference; undefined: it works, and has none. */
function registered(env: Env): Promise<string | undefined> {
  return withRegistry(env, async (client, reference, signal) => {
    try {
      const { name, version } = await client.resolve(reference, signal);
      return `${name}/${version}`;
    } catch (error) {
      if (error instanceof MlflowError && error.problem === "missing") return undefined;
      throw error;
    }
  });
}

function publish(
  artifact: Buffer,
  quality: Parameters<typeof publishModel>[0]["quality"],
  context: { readonly env: Env; readonly wallMs: number },
): Promise<string> {
  const { wallMs } = context;
  return withRegistry(context.env, async (client, reference, signal) => {
    const version = await publishModel({ client, reference, artifact, quality, wallMs, signal });
    return `${reference.name}/${version}`;
  });
}

function printStatic(artifact: Buffer, print: (line: string) => void): void {
  const top = decodeModel(artifact)
    .items.toSorted((left, right) => right.customers - left.customers || left.id - right.id)
    .slice(0, STATIC_LENGTH);
  print(`STATIC_IDS = ${JSON.stringify(top.map((item) => item.id))}`);
  print(`STATIC_CUSTOMERS = ${JSON.stringify(top.map((item) => item.customers))}`);
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const print = (line: string) => void process.stdout.write(`${line}\n`);
  process.exitCode = await train(process.argv.slice(2), {
    env: process.env,
    print,
    wallMs: Date.now(),
  });
}
