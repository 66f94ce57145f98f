import type { Dispatcher } from "undici";
import { z } from "zod";
import { ARTIFACT_FILE, MAX_ARTIFACT_BYTES } from "../model/artifact.ts";
import { call, callJson, MlflowError } from "./http.ts";
import type { ModelReference } from "./model-uri.ts";

/** Tag of a model version with the SHA-256 of its artifact; where it is set, the artifact must match. */
export const SHA256_TAG = "helius.sha256";
const MAX_JSON_BYTES = 1024 * 1024;
/** An artifact may take so many times longer than a call about metadata. */
const ARTIFACT_FACTOR = 6;
const PROXY = "/api/2.0/mlflow-artifacts/artifacts";

/** A version of a registered model, as the registry describes it. */
export interface RegistryVersion {
  readonly name: string;
  readonly version: string;
  /** Changes when the version's metadata does; milliseconds since the epoch, 0 where it is not told. */
  readonly updatedMs: number;
  /** SHA-256 of the artifact where the version's tag says it. */
  readonly sha256: string | undefined;
}

const modelVersion = z.object({
  name: z.string().min(1),
  version: z.union([z.string().regex(/^\d+$/), z.number().int().min(1)]).transform(String),
  status: z.string().default("READY"),
  last_updated_timestamp: z.coerce.number().default(0),
  tags: z.array(z.object({ key: z.string(), value: z.string().default("") })).default([]),
});

/** The model registry of one MLflow tracking server, over its REST API 2.0. Methods throw `MlflowError`. */
export class MlflowClient {
  readonly #tracking: URL;
  readonly #dispatcher: Dispatcher;
  readonly #deadlineMs: number;

  /** `trackingUri` is checked; `deadlineMs` is for one call about metadata. */
  constructor(options: {
    readonly trackingUri: URL;
    readonly dispatcher: Dispatcher;
    readonly deadlineMs: number;
  }) {
    this.#tracking = options.trackingUri;
    this.#dispatcher = options.dispatcher;
    this.#deadlineMs = options.deadlineMs;
  }

  /** The version that a reference stands for now. */
  async resolve({ name, selector }: ModelReference, signal: AbortSignal): Promise<RegistryVersion> {
    if (selector.kind === "version") {
      const query = { name, version: selector.version };
      return this.#oneVersion(await this.#get("/mlflow/model-versions/get", query, signal));
    }
    if (selector.kind === "alias") {
      const query = { name, alias: selector.alias };
      return this.#oneVersion(await this.#get("/mlflow/registered-models/alias", query, signal));
    }
    const answer = await this.#post(
      "/mlflow/registered-models/get-latest-versions",
      selector.kind === "stage" ? { name, stages: [selector.stage] } : { name },
      signal,
    );
    const { model_versions } = shaped(
      z.object({ model_versions: z.array(modelVersion).default([]) }),
      answer,
    );
    const newest = model_versions.toSorted((a, b) => Number(b.version) - Number(a.version))[0];
    if (newest !== undefined) return describe(newest);
    const wanted = selector.kind === "stage" ? ` in stage ${selector.stage}` : "";
    throw new MlflowError("missing", `registered model ${name} has no version${wanted}`);
  }

  /** The artifact of a version, through the server's artifact proxy. Its content is not checked here. */
  async download(version: RegistryVersion, signal: AbortSignal): Promise<Buffer> {
    const query = { name: version.name, version: version.version };
    const answer = await this.#get("/mlflow/model-versions/get-download-uri", query, signal);
    const { artifact_uri } = shaped(z.object({ artifact_uri: z.string().min(1) }), answer);
    return call({
      ...this.#common(signal),
      method: "GET",
      url: this.artifactUrl(artifact_uri, ARTIFACT_FILE),
      maxBytes: MAX_ARTIFACT_BYTES,
      oversize: "refused",
      deadlineMs: this.#deadlineMs * ARTIFACT_FACTOR,
    });
  }

  /** Stores a file under an artifact URI of this server. */
  async upload(artifactUri: string, file: string, bytes: Buffer, signal: AbortSignal): Promise<void> {
    await call({
      ...this.#common(signal),
      method: "PUT",
      url: this.artifactUrl(artifactUri, file),
      bytes,
      deadlineMs: this.#deadlineMs * ARTIFACT_FACTOR,
    });
  }

  /** A call that changes the server. */
  send(path: string, json: unknown, signal: AbortSignal): Promise<unknown> {
    return this.#post(path, json, signal);
  }

  /** Address of a file under an artifact URI. Refuses stores that the tracking server does not serve itself. */
  artifactUrl(artifactUri: string, file: string): URL {
    const uri = URL.parse(artifactUri);
    const refused = (reason: string) =>
      new MlflowError("refused", `artifact URI ${artifactUri.slice(0, 200)}: ${reason}`);
    if (uri === null) throw refused("expected mlflow-artifacts:/PATH or an address of the tracking server");
    let path = uri.pathname;
    if (uri.protocol === "mlflow-artifacts:") {
      if (uri.host !== "" && uri.host !== this.#tracking.host) throw refused("it points to another server");
    } else if (uri.origin === this.#tracking.origin && uri.origin !== "null") {
      const start = this.#address(PROXY).pathname;
      if (!path.startsWith(`${start}/`)) throw refused(`expected a path under ${start}`);
      path = path.slice(start.length);
    } else {
      throw refused("expected a store that the tracking server serves (mlflow-artifacts:/PATH)");
    }
    const segments = [...path.split("/").filter((segment) => segment !== ""), file];
    if (segments.some((segment) => /^(?:\.|%2e){1,2}$|%2f|%5c|\\/i.test(segment))) {
      throw refused("its path leads upwards");
    }
    return this.#address(`${PROXY}/${segments.join("/")}`);
  }

  #oneVersion(answer: unknown): RegistryVersion {
    return describe(shaped(z.object({ model_version: modelVersion }), answer).model_version);
  }

  #get(path: string, query: Record<string, string>, signal: AbortSignal): Promise<unknown> {
    const url = this.#address(`/api/2.0${path}`);
    url.search = new URLSearchParams(query).toString();
    return callJson({ ...this.#common(signal), method: "GET", url });
  }

  #post(path: string, json: unknown, signal: AbortSignal): Promise<unknown> {
    return callJson({ ...this.#common(signal), method: "POST", url: this.#address(`/api/2.0${path}`), json });
  }

  /** Below the tracking URI, which may have a path of its own. */
  #address(path: string): URL {
    return new URL(`${this.#tracking.pathname.replace(/\/$/, "")}${path}`, this.#tracking);
  }

  #common(signal: AbortSignal) {
    const [dispatcher, deadlineMs] = [this.#dispatcher, this.#deadlineMs];
    return { dispatcher, deadlineMs, maxBytes: MAX_JSON_BYTES, oversize: "unreachable" as const, signal };
  }
}

function describe(version: z.infer<typeof modelVersion>): RegistryVersion {
  if (version.status !== "READY") {
    throw new MlflowError(
      "missing",
      `version ${version.version} of ${version.name} is ${version.status}: expected READY`,
    );
  }
  return {
    name: version.name,
    version: version.version,
    updatedMs: version.last_updated_timestamp,
    sha256: version.tags.find((tag) => tag.key === SHA256_TAG)?.value,
  };
}

/** JSON of another shape does not come from MLflow. */
function shaped<T>(schema: z.ZodType<T>, answer: unknown): T {
  const parsed = schema.safeParse(answer);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const where = issue?.path.join(".") || "(answer)";
  throw new MlflowError(
    "unreachable",
    `the answer is not MLflow's: ${where}: ${issue?.message ?? "wrong shape"}`,
  );
}
