import { randomUUID } from "node:crypto";
import express, {
  type Express,
  type NextFunction,
  type Request,
  type RequestHandler,
  type Response,
} from "express";

// A tracking server with model registry and artifact proxy, as far as a client of the REST API 2.0 can tell. It stands
// in for MLflow where none is installed: in the drills and in the tests of the recommender.

/** Path of the artifact proxy. */
const MLFLOW_ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts";

export interface MlflowStandIn {
  readonly app: Express;
  /** Registers an artifact as the next version, in a stage and under aliases; answers its number. */
  register(version: NewVersion): string;
  /** Everything it holds, as JSON, and back. */
  save(): string;
  load(saved: string): void;
}

interface NewVersion {
  readonly name: string;
  readonly artifact: Buffer;
  readonly stage?: string;
  readonly aliases?: readonly string[];
  readonly tags?: Readonly<Record<string, string>>;
  readonly artifactUri?: string;
}

interface Version {
  readonly name: string;
  readonly version: string;
  readonly source: string;
  readonly run_id: string;
  readonly tags: readonly { readonly key: string; readonly value: string }[];
  readonly creation_timestamp: number;
  last_updated_timestamp: number;
  current_stage: string;
}

interface Model {
  readonly versions: Version[];
  readonly aliases: Map<string, string>;
}

interface Run {
  status: string;
  readonly metrics: unknown[];
}

class ApiError extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

class Store {
  readonly models = new Map<string, Model>();
  readonly artifacts = new Map<string, Buffer>();
  readonly runs = new Map<string, Run>();

  model(name: unknown) {
    const found = this.models.get(needed("name", name));
    if (found !== undefined) return found;
    throw new ApiError(
      404,
      "RESOURCE_DOES_NOT_EXIST",
      `Registered Model with name=${String(name)} not found`,
    );
  }

  version(name: unknown, version: unknown): Version {
    const wanted = needed("version", version);
    const found = this.model(name).versions.find((candidate) => candidate.version === wanted);
    if (found !== undefined) return found;
    throw new ApiError(
      404,
      "RESOURCE_DOES_NOT_EXIST",
      `Model Version (name=${String(name)}, version=${wanted}) not found`,
    );
  }

  addVersion(
    given: Omit<Version, "version" | "creation_timestamp" | "last_updated_timestamp" | "current_stage">,
  ) {
    const { versions } = this.model(given.name);
    const now = Date.now();
    const version: Version = {
      ...given,
      version: String(versions.length + 1),
      creation_timestamp: now,
      last_updated_timestamp: now,
      current_stage: "None",
    };
    versions.push(version);
    return version;
  }

  /** As the API shows it: empty lists are left out. */
  shown(version: Version) {
    const aliases = [...this.model(version.name).aliases].filter(([, to]) => to === version.version);
    const { tags, ...rest } = version;
    return {
      ...rest,
      status: "READY",
      ...(tags.length === 0 ? {} : { tags }),
      ...(aliases.length === 0 ? {} : { aliases: aliases.map(([alias]) => alias) }),
    };
  }

  save(): string {
    const models = [...this.models].map(([name, { versions, aliases }]) => ({
      name,
      versions,
      aliases: [...aliases],
    }));
    const artifacts = [...this.artifacts].map(([path, bytes]) => [path, bytes.toString("base64")]);
    return JSON.stringify({ models, artifacts, runs: [...this.runs] });
  }

  load(saved: string): void {
    const { models, artifacts, runs } = JSON.parse(saved) as {
      models: { name: string; versions: Version[]; aliases: [string, string][] }[];
      artifacts: [string, string][];
      runs: [string, Run][];
    };
    for (const { name, versions, aliases } of models)
      this.models.set(name, { versions, aliases: new Map(aliases) });
    for (const [path, bytes] of artifacts) this.artifacts.set(path, Buffer.from(bytes, "base64"));
    for (const [id, given] of runs) this.runs.set(id, given);
  }
}

/**
 * An empty stand-in.
 * @param options.before runs ahead of every route, e.g. to go wrong; @param options.sent what an artifact is sent as.
 */
export function createMlflowStandIn(
  options: { readonly before?: RequestHandler; readonly sent?: (bytes: Buffer) => Buffer } = {},
): MlflowStandIn {
  const store = new Store();
  const app = express();
  if (options.before !== undefined) app.use(options.before);
  app.get("/health", (_request, response) => void response.type("text").send("OK"));
  artifactRoutes(app, store, options.sent ?? ((bytes) => bytes));
  // Other content types are refused, as by the real server.
  app.use((request: Request, _response: Response, next: NextFunction) => {
    if (request.method === "POST" && !request.is("application/json"))
      throw new ApiError(
        400,
        "INVALID_PARAMETER_VALUE",
        "Bad Request. Content-Type must be 'application/json'",
      );
    next();
  });
  app.use(express.json());
  runRoutes(app, store);
  registryRoutes(app, store);
  app.use((error: unknown, _request: Request, response: Response, _next: NextFunction) => {
    const known = error instanceof ApiError;
    response
      .status(known ? error.status : 500)
      .json({ error_code: known ? error.code : "INTERNAL_ERROR", message: (error as Error).message });
  });
  return {
    app,
    register: (version) => register(store, version),
    save: () => store.save(),
    load: (saved) => store.load(saved),
  };
}

function artifactRoutes(app: Express, store: Store, sent: (bytes: Buffer) => Buffer): void {
  app.get(`${MLFLOW_ARTIFACTS}/*path`, (request, response) => {
    const path = decodeURIComponent(request.path.slice(MLFLOW_ARTIFACTS.length + 1));
    const bytes = store.artifacts.get(path);
    if (bytes === undefined) throw new ApiError(404, "RESOURCE_DOES_NOT_EXIST", `No such artifact: ${path}`);
    response.type("application/octet-stream").send(sent(bytes));
  });
  app.put(
    `${MLFLOW_ARTIFACTS}/*path`,
    express.raw({ type: () => true, limit: "64mb" }),
    (request, response) => {
      const path = decodeURIComponent(request.path.slice(MLFLOW_ARTIFACTS.length + 1));
      store.artifacts.set(path, request.body as Buffer);
      response.json({});
    },
  );
}

function runRoutes(app: Express, store: Store): void {
  app.post("/api/2.0/mlflow/runs/create", (request, response) => {
    const { experiment_id, start_time } = request.body as Record<string, unknown>;
    const id = randomUUID().replaceAll("-", "");
    store.runs.set(id, { status: "RUNNING", metrics: [] });
    const artifact_uri = `mlflow-artifacts:/${needed("experiment_id", experiment_id)}/${id}/artifacts`;
    const info = { run_id: id, run_uuid: id, experiment_id, status: "RUNNING", start_time, artifact_uri };
    response.json({ run: { info: { ...info, lifecycle_stage: "active" }, data: {} } });
  });
  app.post("/api/2.0/mlflow/runs/log-batch", (request, response) => {
    const { run_id, metrics } = request.body as { run_id: string; metrics: unknown[] };
    run(store, run_id).metrics.push(...metrics);
    response.json({});
  });
  app.post("/api/2.0/mlflow/runs/update", (request, response) => {
    const { run_id, status } = request.body as { run_id: string; status: string };
    run(store, run_id).status = status;
    response.json({ run_info: { run_id, status } });
  });
}

function registryRoutes(app: Express, store: Store): void {
  const base = "/api/2.0/mlflow";
  app.post(`${base}/registered-models/create`, (request, response) => {
    const name = needed("name", (request.body as { name?: unknown }).name);
    if (store.models.has(name)) {
      throw new ApiError(400, "RESOURCE_ALREADY_EXISTS", `Registered Model (name=${name}) already exists.`);
    }
    store.models.set(name, { versions: [], aliases: new Map() });
    response.json({ registered_model: { name, creation_timestamp: Date.now() } });
  });
  const latest = (name: unknown, stages: readonly string[]) => {
    const wanted = stages.map((stage) => stage.toLowerCase());
    const newest = new Map<string, Version>();
    for (const version of store.model(name).versions)
      newest.set(version.current_stage.toLowerCase(), version);
    const found = [...newest].filter(([stage]) => wanted.length === 0 || wanted.includes(stage));
    return found.length === 0 ? {} : { model_versions: found.map(([, version]) => store.shown(version)) };
  };
  app.post(`${base}/registered-models/get-latest-versions`, (request, response) => {
    const { name, stages } = request.body as { name?: unknown; stages?: readonly string[] };
    response.json(latest(name, stages ?? []));
  });
  app.get(`${base}/registered-models/get-latest-versions`, (request, response) => {
    const stages = [request.query.stages ?? []].flat().map(String);
    response.json(latest(request.query.name, stages));
  });
  app.get(`${base}/registered-models/alias`, (request, response) => {
    const { name, alias } = request.query;
    const version = store.model(name).aliases.get(needed("alias", alias));
    if (version === undefined) {
      throw new ApiError(
        400,
        "INVALID_PARAMETER_VALUE",
        `Registered model alias ${String(alias)} not found.`,
      );
    }
    response.json({ model_version: store.shown(store.version(name, version)) });
  });
  app.post(`${base}/registered-models/alias`, (request, response) => {
    const { name, alias, version } = request.body as Record<string, string>;
    store.model(name).aliases.set(needed("alias", alias), store.version(name, version).version);
    response.json({});
  });
  app.post(`${base}/model-versions/create`, (request, response) => {
    const { name, source, run_id, tags } = request.body as Version;
    response.json({
      model_version: store.shown(store.addVersion({ name, source, run_id, tags: tags ?? [] })),
    });
  });
  app.get(`${base}/model-versions/get`, (request, response) => {
    response.json({ model_version: store.shown(store.version(request.query.name, request.query.version)) });
  });
  app.get(`${base}/model-versions/get-download-uri`, (request, response) => {
    response.json({ artifact_uri: store.version(request.query.name, request.query.version).source });
  });
  app.post(`${base}/model-versions/transition-stage`, (request, response) => {
    const { name, version, stage, archive_existing_versions } = request.body as Record<string, string>;
    const moved = store.version(name, version);
    for (const other of store.model(name).versions) {
      if (archive_existing_versions && other.current_stage === stage) other.current_stage = "Archived";
    }
    moved.current_stage = needed("stage", stage);
    moved.last_updated_timestamp = Date.now();
    response.json({ model_version: store.shown(moved) });
  });
}

function register(store: Store, options: NewVersion): string {
  const { name } = options;
  if (!store.models.has(name)) store.models.set(name, { versions: [], aliases: new Map() });
  const run_id = randomUUID().replaceAll("-", "");
  const folder = `0/${run_id}/artifacts/model`;
  store.artifacts.set(`${folder}/recommender.model`, options.artifact);
  const tags = Object.entries(options.tags ?? {}).map(([key, value]) => ({ key, value }));
  const source = options.artifactUri ?? `mlflow-artifacts:/${folder}`;
  const version = store.addVersion({ name, source, run_id, tags });
  version.current_stage = options.stage ?? "None";
  for (const alias of options.aliases ?? []) store.model(name).aliases.set(alias, version.version);
  return version.version;
}

function run(store: Store, id: string) {
  const found = store.runs.get(id);
  if (found !== undefined) return found;
  throw new ApiError(404, "RESOURCE_DOES_NOT_EXIST", `Run with id=${id} not found`);
}

function needed(name: string, value: unknown): string {
  if (typeof value === "string" && value !== "") return value;
  throw new ApiError(400, "INVALID_PARAMETER_VALUE", `Missing value for required parameter '${name}'.`);
}
