// `node src/lab/bench/router/kill.ts --times 50 [--queue sqlite|nats]`: kill -9 of the llm-router under load; what it lost.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { runKills } from "../../../../test/llm/kill-run.ts";
import { startNats } from "../../../../test/llm/nats.ts";
import { ensureServers } from "../../../../test/setup/servers.ts";
import { textTable } from "../../../common/text/table.ts";
import { progress } from "../progress.ts";

const { values } = parseArgs({
  options: { times: { type: "string", default: "50" }, queue: { type: "string", default: "sqlite" } },
});
const times = /^\d{1,4}$/.test(values.times) ? Number(values.times) : 0;
if (times < 1 || !["sqlite", "nats"].includes(values.queue)) {
  console.error("usage: node src/lab/bench/router/kill.ts --times 1..9999 [--queue sqlite|nats]");
  process.exit(2);
}

const dataDir = mkdtempSync(join(tmpdir(), "helius-router-kill-"));
let nats: Awaited<ReturnType<typeof startNats>> | undefined;
try {
  if (values.queue === "nats") {
    const { found, missing } = await ensureServers(["nats-server"]);
    if (found["nats-server"] === undefined) throw new Error(missing[0]?.howToInstall);
    nats = await startNats({ binary: found["nats-server"], dataDir: join(dataDir, "nats") });
  }
  const figures = await runKills({
    times,
    dataDir,
    natsUrl: nats?.url,
    clients: 8,
    onKill: (count, accepted) => progress(`kill ${count} of ${times}, ${accepted} jobs accepted`),
  });
  progress("");
  const ms = (value: number) => `${value.toFixed(0)} ms`;
  console.log(
    textTable([
      ["", values.queue],
      ["kill -9 under load", `${figures.kills}`],
      ["jobs accepted", `${figures.accepted}`],
      ["of these, answer lost and repeated with the key", `${figures.repeated}`],
      ["jobs lost", `${figures.lost}`],
      ["jobs with two ends or a gap", `${figures.wrong}`],
      ["followed over WebSocket through restarts", `${figures.followed}`],
      ["of these, with an event missed or repeated", `${figures.followedWrong}`],
      ["process start to listening, median", ms(figures.medianRecoveryMs)],
      ["process start to listening, longest", ms(figures.longestRecoveryMs)],
    ]),
  );
  if (figures.lost + figures.wrong + figures.followedWrong > 0) process.exitCode = 1;
} finally {
  await nats?.stop();
  rmSync(dataDir, { recursive: true, force: true });
}
