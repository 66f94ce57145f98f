import { readFileSync } from "node:fs";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-background-networking",
  "--disable-quic",
  "--no-first-run",
  "--disable-component-update",
  "--disable-sync",
];

/** A page of a real Chromium, and what it complained of. */
export interface Visit {
  readonly page: Page;
  /** Errors and warnings of the console, exceptions, violations of the policy, requests that failed. */
  readonly complaints: string[];
  /** Addresses that were asked for beyond the monitor's own. */
  readonly strangers: string[];
  close(): Promise<void>;
}

/** @param executable absolute path of Chromium */
export function openBrowser(executable: string): Promise<Browser> {
  return chromium.launch({ executablePath: executable, headless: true, args: FLAGS });
}

/** Opens a page of its own, with nothing remembered. */
export async function visit(
  browser: Browser,
  options: { readonly origin: string; readonly context?: BrowserContextOptions },
): Promise<Visit> {
  const { origin } = options;
  const context = await browser.newContext(options.context);
  const page = await context.newPage();
  const complaints: string[] = [];
  const strangers: string[] = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type()))
      complaints.push(`${message.type()}: ${message.text()}`);
  });
  page.on("pageerror", (error) => complaints.push(`exception: ${error.message}`));
  page.on("requestfailed", (request) => {
    // Leaving the page ends its stream of events.
    if (!request.url().includes("/api/v1/events"))
      complaints.push(`request failed: ${request.url()} ${request.failure()?.errorText}`);
  });
  page.on("request", (request) => {
    if (!request.url().startsWith(origin)) strangers.push(request.url());
  });
  return { page, complaints, strangers, close: () => context.close() };
}

const AXE = readFileSync(new URL(import.meta.resolve("axe-core/axe.min.js")), "utf8");

/** What axe finds wrong with the page as it is shown now: rule, and where. */
export async function violations(page: Page): Promise<string[]> {
  await page.evaluate(AXE);
  return page.evaluate(async () => {
    type Found = { violations: { id: string; nodes: { target: string[]; failureSummary: string }[] }[] };
    const { axe } = globalThis as unknown as { axe: { run(): Promise<Found> } };
    const found = await axe.run();
    return found.violations.flatMap(({ id, nodes }) =>
      nodes.map((node) => `${id}: ${node.target.join(" ")}: ${node.failureSummary}`),
    );
  });
}
