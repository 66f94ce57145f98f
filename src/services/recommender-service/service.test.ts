import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { answerProblem, type PredictAnswer } from "./answer.ts";
import { DriftFault } from "./drift.ts";
import { LiveStream } from "./live-stream.ts";
import { MlflowClient } from "./mlflow/client.ts";
import { parseModelUri } from "./mlflow/model-uri.ts";
import { readRecommenderSettings } from "./settings.ts";
import { seal, unseal } from "./state/sealed.ts";

const MAX_LIVE_BASKETS = 5_000;
const answer: PredictAnswer = {
  items: [
    {
      id: 3,
      score: 0.501,
      because: [
        { reason: "history", id: 1, contribution: 0.3 },
        { reason: "history", id: 2, contribution: 0.2 },
        { reason: "popularity", contribution: 0.001 },
      ],
    },
    { id: 4, score: 0.001, because: [{ reason: "popularity", contribution: 0.001 }] },
  ],
  model_version: "helius-reco/3",
  mode: "mlflow",
  unknown_products: [],
};

describe("an answer", () => {
  test("that is sound has no problem; each way of drift breaks it, also after a journey as JSON", () => {
    expect(answerProblem(answer)).toBeUndefined();
    const drift = new DriftFault();
    const problems = Array.from({ length: 8 }, () =>
      answerProblem(JSON.parse(JSON.stringify(drift.spoil(answer)))),
    );
    expect(problems.every((problem) => problem !== undefined)).toBe(true);
    expect(new Set(problems).size).toBe(4);
  });

  const [first, second] = answer.items as [PredictAnswer["items"][0], PredictAnswer["items"][0]];
  test.each([
    ["a product twice", { items: [first, first] }, /twice/],
    ["the worse first", { items: [second, first] }, /higher/],
    ["a sum that is wrong", { items: [{ ...first, score: 0.6 }] }, /adds up/],
    ["another mode", { mode: "magic" }, /mode/],
    ["a field too many", { extra: 1 }, /answer|extra/],
  ])("with %s has one", (_name, change, reason) => {
    expect(answerProblem({ ...answer, ...change })).toMatch(reason);
  });
});

describe("settings", () => {
  test.each([
    ["models:/helius-reco/Production", { kind: "stage", stage: "Production" }],
    ["models:/helius-reco/3", { kind: "version", version: "3" }],
    ["models:/helius-reco@champion", { kind: "alias", alias: "champion" }],
    ["models:/helius-reco/Latest", { kind: "latest" }],
  ])("%s is understood", (uri, selector) => {
    expect(parseModelUri(uri)).toEqual({ name: "helius-reco", selector });
  });

  test.each([
    "",
    "models:/",
    "models:/x",
    "models:/x/",
    "models:/x/0",
    "models:/x@",
    "runs:/x/1",
    "models:/x/1/2",
  ])("%j is no model URI", (uri) => {
    expect(parseModelUri(uri)).toBeUndefined();
  });

  test("without variables there is no registry; each bad one is named with what would be right", () => {
    expect(readRecommenderSettings({})).toEqual({ registry: undefined, trainOnStart: false });
    const bad: [Record<string, string>, RegExp][] = [
      [{ MLFLOW_TRACKING_URI: "file:///mlruns" }, /MLFLOW_TRACKING_URI .*http:/],
      [{ MLFLOW_TRACKING_URI: "http://user:pass@host" }, /MLFLOW_TRACKING_URI .*without credentials/],
      [{ MLFLOW_MODEL_URI: "Production" }, /MLFLOW_MODEL_URI .*models:\/NAME\/STAGE/],
      [{ RECOMMENDER_POLL_SECONDS: "0" }, /RECOMMENDER_POLL_SECONDS .*0.05 <= seconds <= 3600/],
      [{ RECOMMENDER_MLFLOW_TIMEOUT_SECONDS: "x" }, /RECOMMENDER_MLFLOW_TIMEOUT_SECONDS/],
      [{ RECOMMENDER_TRAIN_ON_START: "yes" }, /RECOMMENDER_TRAIN_ON_START .*1 or 0/],
    ];
    for (const [env, reason] of bad) expect(() => readRecommenderSettings(env)).toThrow(reason);
    expect(() => readRecommenderSettings({ MLFLOW_TRACKING_URI: "http://me:hidden@host" })).not.toThrow(
      /hidden/,
    );
  });
});

describe("artifact addresses", () => {
  const client = (trackingUri: string) =>
    new MlflowClient({ trackingUri: new URL(trackingUri), dispatcher: undefined as never, deadlineMs: 1 });
  const proxy = "/api/2.0/mlflow-artifacts/artifacts";

  test.each([
    ["http://mlflow:5000", "mlflow-artifacts:/0/run/artifacts/model", "http://mlflow:5000"],
    ["http://mlflow:5000", "mlflow-artifacts://mlflow:5000/0/run/artifacts/model", "http://mlflow:5000"],
    ["http://mlflow:5000", `http://mlflow:5000${proxy}/0/run/artifacts/model`, "http://mlflow:5000"],
    ["https://host/tracking/", "mlflow-artifacts:/0/run/artifacts/model", "https://host/tracking"],
  ])("below %s, %s is fetched from its proxy", (tracking, uri, base) => {
    expect(client(tracking).artifactUrl(uri, "f").href).toBe(`${base}${proxy}/0/run/artifacts/model/f`);
  });

  test.each([
    "s3://bucket/model",
    "file:///etc/passwd",
    "http://elsewhere/model",
    "http://mlflow:5000/secret",
    "mlflow-artifacts://elsewhere/model",
    "mlflow-artifacts:/a%2f..%2f..%2fb",
    "model",
  ])("%s is refused", (uri) => {
    expect(() => client("http://mlflow:5000").artifactUrl(uri, "f")).toThrow(/^artifact URI /);
  });

  test("dots cannot lead above the proxy", () => {
    const { href } = client("http://mlflow:5000").artifactUrl("mlflow-artifacts:/a/../%2e%2e/../b", "f");
    expect(href).toBe(`http://mlflow:5000${proxy}/b/f`);
  });
});

describe("state", () => {
  test("what is sealed comes back; as another kind it does not", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const payload = Buffer.from(bytes);
        expect(unseal("cache", seal("cache", payload)).equals(payload)).toBe(true);
        expect(() => unseal("model", seal("cache", payload))).toThrow(/cache file where a model belongs/);
      }),
    );
  });

  test("the live stream keeps the newest baskets, whatever comes", () => {
    const stream = new LiveStream();
    for (let id = 1; id <= 3 * MAX_LIVE_BASKETS; id += 1) stream.offer([id, id + 1], false);
    expect(stream.baskets()).toHaveLength(MAX_LIVE_BASKETS);
    expect(stream.baskets().at(-1)).toEqual([3 * MAX_LIVE_BASKETS, 3 * MAX_LIVE_BASKETS + 1]);
    stream.offer([1], false);
    stream.offer([1, 2], true);
    expect(stream.baskets().at(-1)).toEqual([3 * MAX_LIVE_BASKETS, 3 * MAX_LIVE_BASKETS + 1]);
    expect(stream.dropped).toBe(1);
  });
});
