import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { startGateway } from "../../../test/gateway/start.ts";
import { eventually, temporaryDirectory } from "../../services/kit/kit.testkit.ts";
import { SqliteQueue } from "../../services/queue/sqlite-queue.ts";
import { messageKey } from "../../services/telemetry-gateway/message.ts";
import { countMessages } from "./messages.ts";

const folder = temporaryDirectory();
afterAll(() => folder.remove());

test("what was acknowledged is delivered, a dead letter, or lost", async () => {
  const gateway = await startGateway({ dataDir: folder.path });
  const data = join(folder.path, readdirSync(folder.path)[0] ?? "");
  for (const id of ["1", "2"])
    await gateway.post({ region: "us-east-1", device: "d", messages: [{ id, ts: 1, metrics: { t: 1 } }] });
  await eventually(async () => (await gateway.metric("queue_depth")) === 0);
  await gateway.close();
  const queue = new SqliteQueue({
    file: join(data, "buffer.sqlite"),
    lanes: ["sa-east-1"],
    laneCapacity: 10,
    dedupWindowMs: 1_000,
    nowMs: Date.now,
  });
  await queue.offer({ lane: "sa-east-1", key: messageKey("d", "3"), payload: Buffer.from("{}") });
  const [delivery] = queue.take("sa-east-1", 1);
  if (delivery === undefined) throw new Error("nothing to take");
  await queue.settle([{ delivery, verdict: "dead", reason: "too often" }]);
  await queue.close();
  const message = (region: string, id: string) => ({ region, device: "d", id });
  const acked = [
    message("us-east-1", "1"),
    message("us-east-1", "2"),
    // Acknowledged twice, as after a cut connection.
    message("us-east-1", "2"),
    message("sa-east-1", "3"),
    // The same id of another region is another message, and nobody has it.
    message("sa-east-1", "1"),
    message("eu-central-1", "9"),
  ];
  expect(countMessages(data, acked)).toEqual({
    acked: 5,
    delivered: 2,
    deadLettered: 1,
    lost: 2,
  });
});
