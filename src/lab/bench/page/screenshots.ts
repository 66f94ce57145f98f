// `npm run screenshots`: the pictures of the documents, from the real daemon with a staged fleet, in a real Chromium.
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createWorld, quickConfig, TOKEN } from "../../../../test/e2e/kit/world.ts";
import { openBrowser, visit } from "../../../../test/page/browser.ts";
import { ensureServers } from "../../../../test/setup/servers.ts";
import { renderPlot, runReplay } from "../../../monitor/app/replay.ts";
import { progress } from "../progress.ts";
import { startFleet } from "./fleet.ts";

const IMAGES = fileURLToPath(new URL("../../../../docs/images/", import.meta.url));
const DESK = { viewport: { width: 1280, height: 860 }, colorScheme: "light" as const };
const PHONE = {
  viewport: { width: 390, height: 844 },
  deviceScaleFactor: 2,
  isMobile: true,
  hasTouch: true,
  colorScheme: "dark" as const,
};

/** The page that `helius replay --plot` makes of the example. */
async function examplePlot(): Promise<string> {
  const example = (name: string) => join(IMAGES, `../examples/${name}.csv`);
  const result = await runReplay({
    config: { file: undefined, env: {}, flags: {} },
    source: { kind: "csv", path: example("replay") },
    ...{ guards: "all", labelsFile: example("replay-labels"), compare: false, trace: true },
    stop: new AbortController().signal,
  });
  return renderPlot(result);
}

const { found, missing } = await ensureServers(["chromium"]);
if (found.chromium === undefined) {
  console.error(`chromium is needed: ${missing[0]?.howToInstall}`);
  process.exit(1);
}
const fleet = await startFleet(18);
const world = createWorld();
try {
  const extra = { verification: { window_seconds: 25 } };
  const monitor = await world.monitor({
    config: quickConfig({ targets: fleet.targets, cooldownS: 120, extra }),
  });
  const wait = async (cycles: number, what: string) => {
    for (let done = 0; done < cycles; done += 5) {
      progress(`${what}: ${done} of ${cycles} cycles`);
      await monitor.moreCycles(5);
    }
  };
  await wait(200, "calm");
  fleet.ramp("search-01", 14);
  await wait(45, "a ramp that is forecast and healed");
  const silenced = await fetch(`${monitor.url}/api/v1/silences`, {
    method: "POST",
    headers: { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" },
    body: JSON.stringify({
      ...{ author: "Ana", reason: "load test", target: "reports-*" },
      ends_at: new Date(Date.now() + 1_800_000).toISOString(),
    }),
  });
  if (!silenced.ok) throw new Error(await silenced.text());
  fleet.ramp("reports-02", 25);
  fleet.ramp("search-01", 14);
  fleet.ramp("mail-01", 4);
  await wait(30, "ramps that are blocked, and one that begins");
  const browser = await openBrowser(found.chromium);
  world.onEnd(() => browser.close());
  const shoot = async (name: string, address: string, context: typeof DESK | typeof PHONE) => {
    const { page, close } = await visit(browser, { origin: monitor.url, context });
    await page.goto(`${monitor.url}/#/${address}`);
    await page
      .locator(address === "" ? ".fleet tbody tr" : ".plot canvas")
      .first()
      .waitFor();
    await monitor.moreCycles(2);
    await page.screenshot({ path: join(IMAGES, name) });
    await close();
  };
  const plot = await browser.newPage({ ...DESK, viewport: { width: 1280, height: 1100 } });
  await plot.setContent(await examplePlot());
  await plot.locator(".plot canvas").nth(4).waitFor();
  await plot.screenshot({ path: join(IMAGES, "replay.png") });
  await shoot("status-page.png", "", DESK);
  await shoot("status-page-target.png", "target/search-01", DESK);
  await shoot("status-page-phone.png", "", PHONE);
  progress("");
} finally {
  await world.end();
  await fleet.close();
}
