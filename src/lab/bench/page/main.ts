// `npm run bench:page`: the status page with 200 targets, in a real Chromium beside the real daemon.
import { readFileSync } from "node:fs";
import { median, quantile } from "simple-statistics";
import { createWorld, type MonitorHandle, quickConfig } from "../../../../test/e2e/kit/world.ts";
import { openBrowser, violations, visit } from "../../../../test/page/browser.ts";
import { waitFor } from "../../../../test/setup/ports.ts";
import { ensureServers } from "../../../../test/setup/servers.ts";
import { textTable } from "../../../common/text/table.ts";
import { progress } from "../progress.ts";
import { startFleet } from "./fleet.ts";

const TARGETS = 200;
const CYCLE_S = 5;
const VISITS = 7;
const CYCLES = 10;
const TICKS_PER_S = 100;
const PAGES = ["", "target/search-01", "decisions", "guards", "quality", "replay"];

type Browser = Awaited<ReturnType<typeof openBrowser>>;

interface FirstVisit {
  readonly paintMs: number;
  readonly fleetMs: number;
  readonly fleetBytes: number;
  readonly targetBytes: number;
}

/** Notes when the fleet was there, and after that when its table changed. */
function watch(rows: number): void {
  const seen = { fleetMs: 0, changes: [] as number[] };
  Object.assign(globalThis, { seen });
  addEventListener("DOMContentLoaded", () => {
    new MutationObserver(() => {
      if (document.querySelectorAll(".fleet tbody tr").length < rows) return;
      if (seen.fleetMs === 0) seen.fleetMs = performance.now();
      else seen.changes.push(Date.now());
    }).observe(document.body, { subtree: true, childList: true, characterData: true });
  });
}

interface Seen {
  readonly fleetMs: number;
  readonly changes: readonly number[];
}

/** Waits for cycles, for as long as a busy machine may need. */
async function moreCycles(monitor: MonitorHandle, count: number): Promise<void> {
  const wanted = monitor.cycles().length + count;
  const timeoutMs = 1000 * (60 + 3 * CYCLE_S * count);
  await waitFor(() => monitor.cycles().length >= wanted, { what: `${count} cycles`, timeoutMs });
}

async function firstVisit(browser: Browser, monitor: MonitorHandle): Promise<FirstVisit> {
  const { page, close } = await visit(browser, { origin: monitor.url });
  const network = await page.context().newCDPSession(page);
  await network.send("Network.enable");
  let bytes = 0;
  network.on("Network.loadingFinished", ({ encodedDataLength }) => {
    bytes += encodedDataLength;
  });
  // What streams in has no end: its pieces count.
  network.on("Network.dataReceived", ({ encodedDataLength }) => {
    streamed += encodedDataLength;
  });
  let streamed = 0;
  await page.addInitScript(watch, TARGETS);
  await page.goto(monitor.url);
  await page.waitForFunction(() => (globalThis as unknown as { seen: Seen }).seen.fleetMs > 0);
  const { fleetMs, paintMs } = await page.evaluate(() => ({
    fleetMs: (globalThis as unknown as { seen: Seen }).seen.fleetMs,
    paintMs: performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? Number.NaN,
  }));
  await page.waitForTimeout(500);
  const fleetBytes = Math.max(bytes, streamed);
  await page.goto(`${monitor.url}/#/target/search-01`);
  await page.locator(".plot canvas").nth(3).waitFor();
  await page.waitForTimeout(500);
  const targetBytes = Math.max(bytes, streamed);
  await close();
  return { paintMs, fleetMs, fleetBytes, targetBytes };
}

/** From the log line of each cycle to the first change of the table after it, milliseconds. */
async function updateLatency(browser: Browser, monitor: MonitorHandle): Promise<number[]> {
  const { page, close } = await visit(browser, { origin: monitor.url });
  await page.addInitScript(watch, TARGETS);
  await page.goto(monitor.url);
  await page.waitForFunction(() => (globalThis as unknown as { seen: Seen }).seen.fleetMs > 0);
  await moreCycles(monitor, 1);
  const from = monitor.cycles().length;
  await moreCycles(monitor, CYCLES);
  await page.waitForTimeout(1000);
  const { changes } = await page.evaluate(() => (globalThis as unknown as { seen: Seen }).seen);
  await close();
  return monitor
    .cycles()
    .slice(from, from + CYCLES)
    .flatMap((line) => {
      const at = Date.parse(String(line.ts));
      const changed = changes.find((t) => t >= at);
      return changed === undefined ? [] : [changed - at];
    });
}

interface Cost {
  /** Of one core. */
  readonly cpu: number;
  readonly residentMb: number;
}

async function cost(monitor: MonitorHandle): Promise<Cost> {
  const ticks = () => {
    const stat = readFileSync(`/proc/${monitor.process.pid}/stat`, "utf8");
    const [user, system] = stat
      .slice(stat.lastIndexOf(")") + 2)
      .split(" ")
      .slice(11, 13);
    return Number(user) + Number(system);
  };
  await moreCycles(monitor, 1);
  const [began, before] = [performance.now(), ticks()];
  await moreCycles(monitor, CYCLES);
  const cpu = (ticks() - before) / TICKS_PER_S / ((performance.now() - began) / 1000);
  const status = readFileSync(`/proc/${monitor.process.pid}/status`, "utf8");
  return { cpu, residentMb: Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024 };
}

async function axeViolations(browser: Browser, monitor: MonitorHandle): Promise<string[]> {
  const found: string[] = [];
  for (const colorScheme of ["light", "dark"] as const) {
    const { page, close } = await visit(browser, { origin: monitor.url, context: { colorScheme } });
    for (const address of PAGES) {
      await page.goto(`${monitor.url}/#/${address}`);
      await page.locator("main h1").waitFor();
      await page.waitForTimeout(500);
      found.push(...(await violations(page)).map((v) => `${address} ${colorScheme}: ${v}`));
    }
    await close();
  }
  return found;
}

const { found, missing } = await ensureServers(["chromium"]);
if (found.chromium === undefined) {
  console.error(`chromium is needed: ${missing[0]?.howToInstall}`);
  process.exit(1);
}
const fleet = await startFleet(TARGETS);
const world = createWorld();
try {
  progress("starting the monitor");
  const config = { ...quickConfig({ targets: fleet.targets }), cycle_interval_seconds: CYCLE_S };
  const sources = { order: ["scrape"], rate_window_seconds: 15, max_sample_age_seconds: 15 };
  const monitor = await world.monitor({ config: { ...config, sources } });
  const warm = 25;
  for (let done = 0; done < warm; done += 5) {
    progress(`a past for the page: cycle ${done} of ${warm}`);
    await moreCycles(monitor, 5);
  }
  fleet.ramp("search-01", 3);
  progress("what the monitor costs without the page");
  const alone = await cost(monitor);
  const browser = await openBrowser(found.chromium);
  world.onEnd(() => browser.close());
  const visits: FirstVisit[] = [];
  for (let k = 0; k < VISITS; k++) {
    progress(`visit ${k + 1} of ${VISITS}`);
    visits.push(await firstVisit(browser, monitor));
  }
  progress("how soon it changes");
  const latencies = await updateLatency(browser, monitor);
  progress("what the monitor costs with the page open");
  const open = await visit(browser, { origin: monitor.url });
  await open.page.goto(monitor.url);
  const watched = await cost(monitor);
  await open.close();
  progress("accessibility");
  const wrong = await axeViolations(browser, monitor);
  progress("");
  const of = (pick: (v: FirstVisit) => number) => median(visits.map(pick));
  const ms = (v: number) => `${v.toFixed(0)} ms`;
  const kb = (v: number) => `${(v / 1024).toFixed(1)} KiB`;
  console.log(
    textTable([
      [`${TARGETS} targets, ${4 * TARGETS} series, a cycle of ${CYCLE_S} s`, ""],
      [`first contentful paint, median of ${VISITS} first visits`, ms(of((v) => v.paintMs))],
      ["all targets in the table", ms(of((v) => v.fleetMs))],
      [`end of a cycle to the table changed, median of ${latencies.length}`, ms(median(latencies))],
      ["the slowest of them", ms(quantile(latencies, 1))],
      ["bytes of a first visit, compressed, headers included", kb(of((v) => v.fleetBytes))],
      ["and then a target with its charts, all together", kb(of((v) => v.targetBytes))],
      [
        "monitor without the page: share of a core, resident",
        `${(100 * alone.cpu).toFixed(1)} %, ${alone.residentMb.toFixed(0)} MiB`,
      ],
      [
        "monitor with the page open",
        `${(100 * watched.cpu).toFixed(1)} %, ${watched.residentMb.toFixed(0)} MiB`,
      ],
      [`axe violations, ${PAGES.length} pages, light and dark`, String(wrong.length)],
    ]),
  );
  for (const line of wrong) console.log(line);
  if (wrong.length > 0) process.exitCode = 1;
} finally {
  await world.end();
  await fleet.close();
}
