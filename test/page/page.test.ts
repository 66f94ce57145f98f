import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { RAMP, settled } from "../e2e/kit/scenarios.ts";
import {
  createWorld,
  type MonitorHandle,
  quickConfig,
  type ServiceHandle,
  TOKEN,
  type World,
} from "../e2e/kit/world.ts";
import { freePort, waitFor } from "../setup/ports.ts";
import { serverPath } from "../setup/require-server.ts";
import { openBrowser, type Visit, violations, visit } from "./browser.ts";
import { say } from "./say.ts";

// The real daemon, a real service under load with a real fault, a real Chromium. The tests are one story: each goes on
// where the one before it ended.

const chromium = serverPath("chromium");
const PHONE = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };

let world: World;
let browser: Browser;
let service: ServiceHandle;
let monitor: MonitorHandle;
let port: number;
let desk: Visit;

const config = () =>
  quickConfig({
    targets: [{ name: "product-api", url: service.url }],
    cooldownS: 20,
    extra: { verification: { window_seconds: 12 } },
  });

beforeAll(async () => {
  if (chromium === undefined) return;
  world = createWorld();
  browser = await openBrowser(chromium);
  world.onEnd(() => browser.close());
  service = await world.service();
  world.load(service.url, 30);
  port = await freePort();
  monitor = await world.monitor({ config: config(), port });
  await settled(monitor);
  desk = await visit(browser, { origin: monitor.url, context: { viewport: { width: 1280, height: 900 } } });
});
afterAll(() => world?.end());

/** Looks again and again, for as long as a busy machine may need. */
const eventually = <T>(look: () => T | Promise<T>, timeout = 60_000) => expect.poll(look, { timeout });

const row = (page: Page, name = "product-api") => page.getByRole("row", { name: new RegExp(name) }).first();

const open = (page: Page, name: string) => page.getByRole("navigation").getByRole("link", { name }).click();

async function textOf(page: Page, selector: string): Promise<string> {
  return (await page.locator(selector).first().textContent()) ?? "";
}

describe.skipIf(chromium === undefined && process.env.CI !== "true")("the status page", () => {
  test("opens with the fleet, and asks nobody but the monitor", async () => {
    const { page, complaints, strangers } = desk;
    await page.goto(monitor.url);
    await row(page).waitFor();
    expect(await page.title()).toBe("Fleet – Helius Self-Heal");
    expect(await page.getByRole("heading", { level: 1 }).textContent()).toBe("Fleet");
    await waitFor(async () => (await textOf(page, ".counts")) === "1 target: 1 ok", {
      what: "a fleet that is calm",
      timeoutMs: 60_000,
    });
    expect(await textOf(page, "#pulse")).toBe("live · acting · every 1 s, 3 min ahead");
    expect(await row(page).textContent()).toMatch(
      /✓ okproduct-api (P95 latency|Error rate|Memory|Backlog)\d.* %/,
    );
    expect(await page.locator(".spark .line").first().getAttribute("d")).toMatch(/^M.*L/);
    expect([complaints, strangers]).toEqual([[], []]);
  });

  test("changes by itself while a fault grows, and says so to screen readers", async () => {
    const { page, complaints } = desk;
    const loads: string[] = [];
    page.on("load", () => loads.push(page.url()));
    await service.inject(RAMP.query);
    await eventually(() => row(page).textContent()).toMatch(/▲ at risk|◆ acting/);
    const line = await monitor.process.line("mitigation executed", { timeoutMs: 60_000 });
    await eventually(() => textOf(page, "#said")).toContain("product-api: acting");
    const done = page.getByRole("group", { name: "The newest actions" });
    await eventually(() => done.textContent()).toMatch(/mitigateapplied/);
    expect(line.target).toBe("product-api");
    expect([loads, complaints]).toEqual([[], []]);
  });

  test("leads to a target by keyboard: charts, thresholds, and what the action did", async () => {
    const { page, complaints } = desk;
    await page.locator("body").press("Tab");
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe("Skip to the content");
    await page.getByRole("link", { name: "product-api" }).first().focus();
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { level: 1, name: "product-api" }).waitFor();
    expect(await page.evaluate(() => document.activeElement?.tagName)).toBe("H1");
    await eventually(() => page.locator(".plot canvas").count()).toBe(4);
    const chart = page.getByRole("img", { name: /^P95 latency: now .* forecast is .*SLO 300 ms/ });
    expect(await chart.count()).toBe(1);
    // Drawn, not merely there: the curve has its colour on the canvas.
    expect(await colours(page)).toBeGreaterThan(4);
    const actions = page.getByRole("group", { name: "Actions on this target" });
    await eventually(() => actions.textContent()).toMatch(/✓ recovered/);
    await page.getByText("The newest values as a table").first().click();
    await eventually(() => page.locator("details[open] tbody tr").count()).toBe(20);
    await page.getByLabel("Show the last").selectOption("7200");
    expect(complaints).toEqual([]);
  });

  test("pauses and resumes with the token, for everyone who looks", async () => {
    const { page, complaints } = desk;
    const other = await visit(browser, { origin: monitor.url, context: PHONE });
    await other.page.goto(monitor.url);
    await row(other.page).waitFor();

    await page.getByRole("button", { name: "Pause acting…" }).click();
    await say(page, "not the token");
    await page.getByRole("alert").filter({ hasText: "the token is wrong" }).waitFor();
    expect((await monitor.metrics()).value("predict_paused")).toBe(0);
    // The browser itself notes an answer of 401 in its console.
    expect(complaints.splice(0)).toEqual([expect.stringMatching(/401/)]);

    await say(page, TOKEN);
    await page.getByRole("button", { name: "Resume acting…" }).waitFor();
    await eventually(() => textOf(other.page, "#notice")).toMatch(
      /Acting is paused by Ana since .*: a rehearsal\./,
    );
    expect(await monitor.process.line("acting paused")).toMatchObject({ by: "Ana", reason: "a rehearsal" });

    await service.inject(RAMP.query);
    await eventually(() => textOf(other.page, ".fleet tbody tr")).toMatch(/■ blocked.*acting is paused/);
    await page.getByRole("button", { name: "Resume acting…" }).click();
    await say(page, TOKEN);
    await page.getByRole("button", { name: "Pause acting…" }).waitFor();
    await eventually(() => textOf(other.page, "#notice")).toBe("");
    await waitFor(() => monitor.process.all("mitigation executed").length >= 2, {
      what: "the second mitigation",
      timeoutMs: 40_000,
    });
    expect([complaints, other.complaints, other.strangers]).toEqual([[], [], []]);
    await other.close();
  });

  test("has the log of decisions, with filters that are an address", async () => {
    const { page, complaints } = desk;
    await open(page, "Decisions");
    const table = page.getByRole("group", { name: "Decisions, the newest first" });
    await eventually(() => table.textContent()).toMatch(/■ blocked.*acting is paused.*paused/);
    await page.getByLabel("Reason").fill("paused");
    await page.getByLabel("Reason").press("Tab");
    await eventually(() => page.url()).toContain("#/decisions?reason=paused");
    await eventually(async () => new Set(await table.locator("tbody td.why code").allTextContents())).toEqual(
      new Set(["paused"]),
    );
    const again = await visit(browser, { origin: monitor.url });
    await again.page.goto(page.url());
    await eventually(
      async () => new Set(await again.page.locator("tbody td.why code").allTextContents()),
    ).toEqual(new Set(["paused"]));
    await again.close();
    expect(complaints).toEqual([]);
  });

  test("silences and lifts", async () => {
    const { page, complaints } = desk;
    await open(page, "Guards");
    await page.getByRole("button", { name: "Silence…" }).click();
    await say(page, TOKEN, { Target: "product-*" });
    const silences = page.getByRole("group", { name: /^Silences/ });
    await eventually(() => silences.textContent()).toMatch(/product-\*.*Ana.*a rehearsal/);
    await page.getByRole("button", { name: "End the silence on product-*" }).click();
    await say(page, TOKEN);
    await eventually(() => silences.count()).toBe(0);
    expect(monitor.process.all("silence lifted")).toHaveLength(1);
    expect(complaints).toEqual([]);
  });

  test("replays the last minutes at other settings", async () => {
    const { page, complaints } = desk;
    await open(page, "Replay");
    await page.getByRole("button", { name: "Replay…" }).click();
    await page.getByRole("dialog").getByLabel("Token").fill(TOKEN);
    await page.getByRole("dialog").getByRole("button", { name: "Replay" }).click();
    const table = page.getByRole("group", { name: "Actions at each sensitivity" });
    await eventually(() => table.textContent()).toMatch(/really done[2-9].*strict.*default.*eager/);
    // The ramp happened: every sensitivity would have acted on it.
    const counts = await table.locator("tbody tr td:nth-child(2)").allTextContents();
    expect(counts.map(Number).every((count) => count > 0)).toBe(true);
    expect(complaints).toEqual([]);
  });

  test.for(["light", "dark"] as const)(
    "has nothing that axe objects to, %s, on a desk and on a phone",
    async (colorScheme) => {
      for (const context of [
        { colorScheme, viewport: { width: 1280, height: 900 } },
        { colorScheme, ...PHONE },
      ]) {
        const { page, complaints, close } = await visit(browser, { origin: monitor.url, context });
        for (const address of ["", "target/product-api", "decisions", "guards", "quality", "replay"]) {
          await page.goto(`${monitor.url}/#/${address}`);
          await page.locator("main h1").waitFor();
          if (address.startsWith("target")) await page.locator(".plot canvas").first().waitFor();
          expect(await violations(page), `${address} ${colorScheme}`).toEqual([]);
          const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
          expect(wide, `${address} is too wide`).toBeLessThanOrEqual(0);
        }
        await page
          .getByRole("button", { name: /^(Pause|Resume) acting…$/ })
          .first()
          .click();
        expect(await violations(page), `dialog ${colorScheme}`).toEqual([]);
        expect(complaints).toEqual([]);
        await close();
      }
    },
  );

  test("says when the monitor is gone, and goes on by itself when it is back", async () => {
    const { page } = desk;
    await open(page, "Fleet");
    await monitor.process.end("SIGTERM");
    await eventually(() => textOf(page, "#pulse")).toMatch(/does not answer; what is shown may be old/);
    monitor = await world.monitor({ config: config(), port });
    await eventually(() => textOf(page, "#pulse")).toMatch(/^live/);
    const before = monitor.cycles().length;
    await monitor.moreCycles(3);
    expect(monitor.cycles().length).toBeGreaterThan(before);
    expect(await row(page).textContent()).toContain("product-api");
  });
});

/** How many different colours the first chart shows. */
function colours(page: Page): Promise<number> {
  return page.evaluate(() => {
    const canvas = document.querySelector<HTMLCanvasElement>(".plot canvas");
    const data = canvas?.getContext("2d")?.getImageData(0, 0, canvas.width, canvas.height).data ?? [];
    const found = new Set<number>();
    for (let i = 0; i < data.length; i += 4)
      if (data[i + 3] === 255)
        found.add(((data[i] as number) << 16) | ((data[i + 1] as number) << 8) | (data[i + 2] as number));
    return found.size;
  });
}
