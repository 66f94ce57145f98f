import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { killRun } from "../../src/lab/bench/gateway/kill-run.ts";
import { stopProcess } from "../../src/lab/bench/gateway/processes.ts";
import { startNats } from "../../src/lab/bench/gateway/servers.ts";
import { temporaryDirectory } from "../../src/services/kit/kit.testkit.ts";
import { seededRandom } from "../../src/services/kit/random.ts";
import { requireServer } from "../setup/require-server.ts";

// The short version of `node src/lab/bench/gateway/kill.ts`.
const KILLS = 5;
const clean = { kills: KILLS, lost: 0, duplicate_effects: 0, foreign: 0 };

let dir: ReturnType<typeof temporaryDirectory>;
beforeEach(() => {
  dir = temporaryDirectory();
});
afterEach(() => dir.remove());

it("kill -9 under load with the embedded buffer: what was acknowledged has its effect, once", async () => {
  const report = await killRun({ times: KILLS, dataDir: dir.path, random: seededRandom(7) });
  expect(report).toMatchObject(clean);
  expect(report.acknowledged).toBeGreaterThan(500);
});

it("kill -9 under load with JetStream as the buffer: what was acknowledged has its effect, once", async (context) => {
  const program = requireServer("nats-server", context);
  const nats = await startNats({ program, directory: join(dir.path, "nats") });
  try {
    const random = seededRandom(8);
    const report = await killRun({ times: KILLS, dataDir: dir.path, natsUrl: nats.url, random });
    expect(report).toMatchObject(clean);
    expect(report.acknowledged).toBeGreaterThan(500);
  } finally {
    await stopProcess(nats.process);
  }
});
