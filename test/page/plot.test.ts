import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { expect, test } from "vitest";
import { renderPlot, runReplay } from "../../src/monitor/app/replay.ts";
import { requireServer } from "../setup/require-server.ts";
import { openBrowser, violations, visit } from "./browser.ts";

test("the plot of a replay is one file that draws by itself, light and dark, with nothing that axe objects to", async (context) => {
  const chromium = requireServer("chromium", context);
  const folder = mkdtempSync(join(tmpdir(), "helius-plot-"));
  context.onTestFinished(() => rmSync(folder, { recursive: true }));
  const example = (name: string) =>
    fileURLToPath(new URL(`../../docs/examples/${name}.csv`, import.meta.url));
  const result = await runReplay({
    config: { file: undefined, env: {}, flags: {} },
    source: { kind: "csv", path: example("replay") },
    ...{ guards: "all", labelsFile: example("replay-labels"), compare: false, trace: true },
    stop: new AbortController().signal,
  });
  const path = join(folder, "plot.html");
  writeFileSync(path, renderPlot(result));
  const browser = await openBrowser(chromium);
  context.onTestFinished(() => browser.close());
  for (const colorScheme of ["light", "dark"] as const) {
    const address = pathToFileURL(path).href;
    const { page, complaints, strangers } = await visit(browser, {
      origin: address,
      context: { colorScheme },
    });
    await page.goto(address);
    await expect.poll(() => page.locator(".plot canvas").count()).toBe(5);
    expect(await page.title()).toBe(`Replay: 5 series, ${result.actions.length} actions`);
    const first = page.getByRole("img", { name: /^checkout: P95 latency.*: \d+ actions$/ });
    expect(await first.count()).toBe(1);
    const rows = page.getByRole("group", { name: /^Actions on/ }).locator("tbody tr");
    expect(await rows.count()).toBe(result.actions.length);
    expect(await violations(page), colorScheme).toEqual([]);
    expect([complaints, strangers]).toEqual([[], []]);
  }
});
