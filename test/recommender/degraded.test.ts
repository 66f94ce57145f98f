import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createLogger } from "../../src/common/telemetry/logger.ts";
import { createRegistry } from "../../src/common/telemetry/registry.ts";
import { eventually, ManualClock, temporaryDirectory } from "../../src/services/kit/kit.testkit.ts";
import { productApi } from "../../src/services/product-api/service.ts";
import { answerProblem } from "../../src/services/recommender-service/answer.ts";
import { SHOP } from "../../src/services/recommender-service/model/shop.ts";
import { startRecommender, type TestRecommender } from "./start.ts";

// Degraded modes of a recommender that really listens, without a registry.

let folder: ReturnType<typeof temporaryDirectory>;
const running: TestRecommender[] = [];

beforeEach(() => {
  folder = temporaryDirectory();
});

afterEach(async () => {
  await Promise.all(running.splice(0).map((service) => service.close()));
  folder.remove();
});

async function start(options: { clock?: ManualClock; env?: Record<string, string> } = {}) {
  const service = await startRecommender({ dataDir: folder.path, ...options });
  running.push(service);
  return service;
}

async function stop(service: TestRecommender): Promise<void> {
  running.splice(running.indexOf(service), 1);
  await service.close();
}

/** A service with a model of its own. */
async function startTrained(clock?: ManualClock): Promise<TestRecommender> {
  const service = await start({ env: { RECOMMENDER_TRAIN_ON_START: "1" }, ...(clock && { clock }) });
  await eventually(async () => (await service.health()).mode === "trained");
  return service;
}

/** Share of invalid answers among `count` requests of different customers. */
async function invalidShare(service: TestRecommender, count: number): Promise<number> {
  let invalid = 0;
  for (let index = 0; index < count; index += 1) {
    const history = [1, 2, 3].map((step) => ((index * 37 + step * 101) % SHOP.size) + 1);
    const { status, json } = await service.predict({ history, k: 5 });
    expect(status).toBe(200);
    if (answerProblem(json) !== undefined) invalid += 1;
  }
  return invalid / count;
}

const file = () => join(folder.path, "recommender-service", "last-good.model");

describe("requests", () => {
  test.each([
    ["a negative k", { history: [], k: -1 }, "k"],
    ["k of zero", { history: [], k: 0 }, "k"],
    ["k above the limit", { history: [], k: 51 }, "k"],
    ["half a k", { history: [], k: 2.5 }, "k"],
    ["a history that is no list", { history: "12,44" }, "history"],
    ["a history of texts", { history: ["12"] }, "history"],
    ["a history of null", { history: [null] }, "history"],
    ["no history", { k: 5 }, "history"],
    ["a history that is too long", { history: Array.from({ length: 101 }, (_, id) => id + 1) }, "history"],
    ["a field too many", { history: [], seed: 1 }, "seed"],
    ["a list", [1, 2], "(body)"],
  ])("with %s are refused with 400 naming it", async (_name, body, field) => {
    const service = await start();
    const { status, json } = await service.predict(body);
    expect(status).toBe(400);
    expect(json).toMatchObject({ field });
    expect(json.expected).toBeTruthy();
    expect(await service.metric("reco_engine_requests_total")).toBe(undefined);
  });

  test("that are no JSON, or too large, are refused; the service goes on", async () => {
    const service = await start();
    expect((await service.predict('{"history":[1')).status).toBe(400);
    expect((await service.predict(`{"history":[${"1,".repeat(20_000)}1]}`)).status).toBe(413);
    const text = await fetch(`${service.url}/predict`, { method: "POST", body: '{"history":[]}' });
    expect(text.status).toBe(400);
    expect((await fetch(`${service.url}/predict`)).status).toBe(405);
    expect((await service.predict({ history: [] })).status).toBe(200);
  });

  test("without a history get the most popular products, k of them", async () => {
    const service = await startTrained();
    for (const k of [1, 5, 50]) {
      const { status, json } = await service.predict({ history: [], k });
      expect(status).toBe(200);
      expect(json.items).toHaveLength(k);
      expect(answerProblem(json)).toBeUndefined();
    }
    const { json } = await service.predict({ history: [] });
    expect(json.items).toHaveLength(5);
  });

  test("with unknown products: ignored, told and counted", async () => {
    const service = await startTrained();
    const { json } = await service.predict({ history: [12, 9_999, -4, 9_999, 44], k: 5 });
    expect(json.unknown_products).toEqual([9_999, -4]);
    const { json: without } = await service.predict({ history: [12, 44], k: 5 });
    expect(json.items).toEqual(without.items);
    expect(await service.metric("reco_engine_unknown_products_total")).toBe(2);
  });

  test("are explained by the history they came with", async () => {
    const service = await startTrained();
    const { json } = await service.predict({ history: [12, 44], k: 5 });
    const items = json.items as { because: { reason: string; id?: number }[] }[];
    const named = items.flatMap((item) => item.because.flatMap((part) => part.id ?? []));
    expect(new Set(named)).toEqual(new Set([12, 44]));
  });
});

describe("the model on disk", () => {
  const damages: [string, (bytes: Buffer) => Buffer][] = [
    ["cut in half", (bytes) => bytes.subarray(0, bytes.length / 2)],
    ["one byte short", (bytes) => bytes.subarray(0, -1)],
    ["empty", () => Buffer.alloc(0)],
    ["one bit flipped in the model", (bytes) => flip(bytes, bytes.length - 1_000)],
    ["one bit flipped in its version", (bytes) => flip(bytes, bytes.indexOf("trained-") + 3)],
    ["one bit flipped in its first line", (bytes) => flip(bytes, 30)],
    ["another format's", () => Buffer.from('{"items":[]}')],
  ];
  test("is taken up again after a restart; damaged in any way it is set aside and the static list answers", async () => {
    const service = await startTrained();
    const before = await service.predict({ history: [12, 44] });
    await stop(service);
    const sound = readFileSync(file());
    for (const [name, damage] of damages) {
      writeFileSync(file(), damage(Buffer.from(sound)));
      const hurt = await start();
      expect((await hurt.health()).mode, name).toBe("static");
      expect((await hurt.health()).model_problem, name).toBeTruthy();
      const { status, json } = await hurt.predict({ history: [12, 44] });
      expect([status, json.mode], name).toEqual([200, "static"]);
      expect(
        await hurt.metric("reco_engine_model_loads_total", '{source="disk",outcome="quarantined"}'),
      ).toBe(1);
      expect(hurt.lines.map((line) => line.message)).toContain("damaged model cache set aside");
      await stop(hurt);
      const names = readdirSync(join(folder.path, "recommender-service"));
      expect(names, name).not.toContain("last-good.model");
      expect(
        names.some((entry) => entry.startsWith("last-good.model.corrupt-")),
        name,
      ).toBe(true);
    }
    writeFileSync(file(), sound);
    const healed = await start();
    expect((await healed.predict({ history: [12, 44] })).json).toEqual(before.json);
  });

  test("that was damaged does not start a training by itself, but one on demand heals it", async () => {
    await stop(await startTrained());
    writeFileSync(file(), "rubbish");
    const service = await start({ env: { RECOMMENDER_TRAIN_ON_START: "1" } });
    expect(await service.health()).toMatchObject({ mode: "static", retraining: false });
    expect((await service.admin("mitigate?action=retrain")).json).toMatchObject({ started: true });
    await eventually(async () => (await service.health()).mode === "trained");
    expect((await service.health()).model_problem).toBeNull();
    await stop(service);
    expect((await (await start()).health()).mode).toBe("trained");
  });
});

describe("drift", () => {
  test("makes the share of answers invalid, divergence shows it, a forced fallback ends it, mitigation too", async () => {
    const service = await startTrained();
    expect(await invalidShare(service, 120)).toBe(0);
    const calm = await service.metric("reco_engine_xai_divergence");
    expect(calm).toBeLessThan(0.2);

    const { json } = await service.admin("fault?mode=drift&ratio=0.5");
    expect(json).toEqual({ mode: "drift", drift_ratio: 0.5 });
    expect(await invalidShare(service, 160)).toBe(0.5);
    expect(await service.metric("reco_engine_xai_divergence")).toBeGreaterThan(0.3);
    expect(await service.metric("model_invalid_outputs_total")).toBe(80);
    expect(await service.metric("model_requests_total")).toBe(280);

    const forced = await service.admin("mitigate?action=force-fallback&seconds=600");
    expect(forced.json).toMatchObject({ forced_fallback: true, seconds: 600, model_version: "static-1" });
    expect(await invalidShare(service, 50)).toBe(0);
    expect(await service.metric("reco_engine_mode_static_active")).toBe(1);
    expect(await service.metric("reco_engine_in_fallback_mode")).toBe(1);

    await service.admin("mitigate?action=release-fallback");
    expect(await invalidShare(service, 10)).toBe(0.5);
    await service.admin("mitigate");
    expect(await invalidShare(service, 20)).toBe(0);
  });

  test("at a fifth is enough for the divergence; a bad ratio is refused", async () => {
    const service = await startTrained();
    await service.admin("fault?mode=drift&ratio=0.2");
    expect(await invalidShare(service, 200)).toBe(0.2);
    expect(await service.metric("reco_engine_xai_divergence")).toBeGreaterThan(0.3);
    for (const ratio of ["0", "1.5", "-1", "x"])
      expect((await service.admin(`fault?mode=drift&ratio=${ratio}`)).json).toMatchObject({
        parameter: "ratio",
      });
  });

  test("divergence has no sample while there are too few answers", async () => {
    const service = await startTrained();
    expect(await invalidShare(service, 99)).toBe(0);
    expect(await service.metric("reco_engine_xai_divergence")).toBeUndefined();
    expect(await invalidShare(service, 1)).toBe(0);
    expect(await service.metric("reco_engine_xai_divergence")).toBeDefined();
  });
});

describe("forced fallback", () => {
  test("survives a restart until it expires, then ends by itself", async () => {
    const clock = new ManualClock();
    const service = await startTrained(clock);
    const { json } = await service.admin("mitigate?action=force-fallback&seconds=60");
    expect(json).toMatchObject({ survives_restart: true });
    clock.advance(20_000);
    await stop(service);

    clock.advance(20_000);
    const again = await start({ clock });
    expect(await again.health()).toMatchObject({ mode: "static", forced_fallback_seconds: 20 });
    clock.advance(19_999);
    expect((await again.predict({ history: [12] })).json.mode).toBe("static");
    clock.advance(1);
    expect((await again.predict({ history: [12] })).json.mode).toBe("trained");
    await eventually(() => again.lines.some((line) => line.message === "forced fallback ended"));
    await stop(again);
    expect((await (await start({ clock })).health()).forced_fallback_seconds).toBe(0);
  });

  test("ends on time although the wall clock jumps, and over a restart never lasts longer than asked", async () => {
    const clock = new ManualClock();
    const service = await startTrained(clock);
    await service.admin("mitigate?action=force-fallback&seconds=60");
    clock.wall -= 86_400_000;
    clock.mono += 30_000;
    expect((await service.health()).forced_fallback_seconds).toBe(30);
    await stop(service);
    const again = await start({ clock });
    expect((await again.health()).forced_fallback_seconds).toBe(60);
  });

  test("is assumed for five minutes when its record is damaged", async () => {
    const clock = new ManualClock();
    const service = await startTrained(clock);
    await service.admin("mitigate?action=force-fallback&seconds=3600");
    await stop(service);
    const record = join(folder.path, "recommender-service", "forced-fallback.hold");
    writeFileSync(record, readFileSync(record).subarray(0, -3));
    const again = await start({ clock });
    expect(await again.health()).toMatchObject({ mode: "static", forced_fallback_seconds: 300 });
    expect(again.lines.map((line) => line.message)).toContain("damaged hold record, assuming that it holds");
    await again.admin("mitigate?action=release-fallback");
    expect((await again.health()).mode).toBe("trained");
    await stop(again);
    expect((await (await start({ clock })).health()).mode).toBe("trained");
  });

  test("takes effect although the disk takes nothing, and says that a restart will not know", async () => {
    const service = await startTrained();
    mkdirSync(join(folder.path, "recommender-service", "forced-fallback.hold.draft"));
    const { status, json } = await service.admin("mitigate?action=force-fallback&seconds=60");
    expect(status).toBe(200);
    expect(json).toMatchObject({ forced_fallback: true, survives_restart: false });
    expect((await service.predict({ history: [12] })).json.mode).toBe("static");
  });

  test.each(["", "&seconds=0", "&seconds=-5", "&seconds=86401", "&seconds=soon"])(
    "with %j is refused and nothing changes",
    async (query) => {
      const service = await start();
      const { status, json } = await service.admin(`mitigate?action=force-fallback${query}`);
      expect([status, json.parameter]).toEqual([400, "seconds"]);
      expect((await service.health()).forced_fallback_seconds).toBe(0);
    },
  );
});

describe("learning", () => {
  test("takes in live baskets, not while the stream is paused, and a retraining uses them", async () => {
    const clock = new ManualClock();
    const service = await startTrained(clock);
    const baskets = () => service.metric("reco_engine_stream_baskets");
    await invalidShare(service, 30);
    expect(await baskets()).toBe(30);
    await service.predict({ history: [7] });
    expect(await baskets()).toBe(30);

    await service.admin("mitigate?action=pause-stream&seconds=60");
    expect(await service.metric("reco_engine_stream_paused")).toBe(1);
    await invalidShare(service, 10);
    expect(await baskets()).toBe(30);
    clock.advance(60_000);
    expect(await service.metric("reco_engine_stream_paused")).toBe(0);
    await invalidShare(service, 10);
    expect(await baskets()).toBe(40);

    const old = (await service.health()).model_version;
    clock.advance(5_000);
    const { json } = await service.admin("mitigate?action=retrain");
    expect(json).toEqual({ retraining: true, started: true, live_baskets: 40 });
    const second = await service.admin("mitigate?action=retrain");
    expect(second.json).toMatchObject({ retraining: true, started: false });
    // Answers go on while the training runs, and each is from one model as a whole.
    const versions = new Set<unknown>();
    await eventually(async () => {
      const answer = await service.predict({ history: [12, 44] });
      expect(answerProblem(answer.json)).toBeUndefined();
      versions.add(answer.json.model_version);
      return answer.json.model_version !== old;
    });
    expect(versions.size).toBe(2);
    expect(await service.metric("reco_engine_retrainings_total", '{outcome="swapped"}')).toBe(2);
  });

  test("of strong live data shows in the recommendations", async () => {
    const service = await startTrained();
    const ids = async () =>
      ((await service.predict({ history: [3], k: 5 })).json.items as { id: number }[]).map((item) => item.id);
    const before = await ids();
    const partner = Array.from({ length: SHOP.size }, (_, index) => index + 1).find(
      (id) => id !== 3 && !before.includes(id),
    ) as number;
    for (let count = 0; count < 300; count += 1) await service.predict({ history: [3, partner], k: 1 });
    await service.admin("mitigate?action=retrain");
    await eventually(async () => (await ids()).includes(partner));
  });

  test("a stop during a training is clean", async () => {
    const service = await start({ env: { RECOMMENDER_TRAIN_ON_START: "1" } });
    expect((await service.health()).retraining).toBe(true);
    await stop(service);
    const messages = service.lines.map((line) => line.message);
    expect(messages).toContain("service stopped");
    expect(messages).not.toContain("retraining failed");
  });
});

test("recommends from the catalogue that the product API sells", async () => {
  const shop = await productApi.start({
    version: "1",
    host: "127.0.0.1",
    port: 0,
    adminTokens: ["t"],
    logger: createLogger({ job: "product-api", level: "error", stream: { write: () => true } }),
    registry: createRegistry({ processMetrics: false }),
    dataDir: folder.path,
    faultInjection: false,
    env: {},
  });
  try {
    const { products } = (await (await fetch(`${shop.url}/`)).json()) as { products: number };
    expect(products).toBe(SHOP.size);
    const service = await start();
    const { json } = await service.predict({ history: [], k: 50 });
    for (const { id } of (json.items as { id: number }[]).slice(0, 5))
      expect((await fetch(`${shop.url}/products/${id}`)).status).toBe(200);
  } finally {
    await shop.close();
  }
});

function flip(bytes: Buffer, at: number): Buffer {
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  return bytes;
}
