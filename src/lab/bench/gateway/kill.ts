import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { seededRandom } from "../../../services/kit/random.ts";
import { killRun } from "./kill-run.ts";
import { stopProcess } from "./processes.ts";
import { programOf, startNats } from "./servers.ts";

// `node src/lab/bench/gateway/kill.ts --times 100 --buffer sqlite|nats [--seed 1]`: SIGKILL under load, then the books.
const { values } = parseArgs({
  options: {
    times: { type: "string", default: "100" },
    buffer: { type: "string", default: "sqlite" },
    seed: { type: "string", default: "1" },
  },
});
if (!/^[1-9]\d{0,4}$/.test(values.times)) throw new Error(`--times is ${values.times}: expected 1 to 99999`);
if (!["sqlite", "nats"].includes(values.buffer))
  throw new Error(`--buffer is ${values.buffer}: expected sqlite or nats`);

const folder = mkdtempSync(join(tmpdir(), "helius-kill-"));
const nats =
  values.buffer === "nats"
    ? await startNats({ program: programOf("nats-server"), directory: join(folder, "nats") })
    : undefined;
try {
  const report = await killRun({
    times: Number(values.times),
    dataDir: folder,
    natsUrl: nats?.url,
    random: seededRandom(Number(values.seed)),
    onKill: (count, ms) => {
      if (count % 10 === 0) console.error(`kill ${count}, recovered in ${Math.round(ms)} ms`);
    },
  });
  console.log(JSON.stringify({ buffer: values.buffer, seed: Number(values.seed), ...report }, undefined, 2));
  if (report.lost > 0 || report.duplicate_effects > 0 || report.foreign > 0) process.exitCode = 1;
} finally {
  if (nats !== undefined) await stopProcess(nats.process);
  rmSync(folder, { recursive: true, force: true });
}
