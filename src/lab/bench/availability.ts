// `npm run bench:availability`: product pages served while everything the page asks is killed under load.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { quantile } from "simple-statistics";
import { Agent, request } from "undici";
import { freePort, waitFor } from "../../../test/setup/ports.ts";
import { textTable } from "../../common/text/table.ts";
import { progress } from "./progress.ts";

const MAIN = fileURLToPath(new URL("../../main.ts", import.meta.url));
const PAGES = 3000;
const CONNECTIONS = 8;

const folder = mkdtempSync(join(tmpdir(), "helius-availability-"));
const children = new Map<string, ChildProcess>();
const agent = new Agent({ connections: CONNECTIONS, pipelining: 1 });

async function start(name: string, env: Readonly<Record<string, string>>): Promise<string> {
  const port = await freePort();
  const child = spawn(process.execPath, [MAIN, "service", name, `--web.listen-address=127.0.0.1:${port}`], {
    env: { ...process.env, ...env, HELIUS_DATA_DIR: join(folder, name) },
    stdio: "ignore",
  });
  children.set(name, child);
  const url = `http://127.0.0.1:${port}`;
  await waitFor(async () => (await fetch(`${url}/health`).catch(() => undefined))?.ok === true, {
    what: name,
    timeoutMs: 30_000,
  });
  return url;
}

interface Phase {
  readonly pages: number;
  readonly good: number;
  readonly whole: number;
  readonly times: readonly number[];
}

/** Asks for pages, all connections busy; `halfway` runs once in the middle. */
async function phase(url: string, halfway: () => void = () => {}): Promise<Phase> {
  let next = 0;
  let good = 0;
  let whole = 0;
  const times: number[] = [];
  const worker = async () => {
    while (next < PAGES) {
      if (next === PAGES / 2) halfway();
      const id = 1 + (next++ % 500);
      const began = performance.now();
      const { statusCode, body } = await request(`${url}/products/${id}/page?history=1,2`, {
        dispatcher: agent,
      });
      const page = (await body.json()) as { product?: { id: number }; degraded?: unknown[] };
      times.push(performance.now() - began);
      if (statusCode === 200 && page.product?.id === id) good += 1;
      if (page.degraded?.length === 0) whole += 1;
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, worker));
  return { pages: PAGES, good, whole, times };
}

try {
  progress("starting assistants, router, recommender and product-api");
  const primary = await start("llm-assistant", {});
  const secondary = await start("llm-assistant-secondary", {});
  const router = await start("llm-router", {
    LLM_ASSISTANT_URL: primary,
    LLM_ASSISTANT_SECONDARY_URL: secondary,
  });
  const recommender = await start("recommender-service", { RECOMMENDER_TRAIN_ON_START: "1" });
  const shop = await start("product-api", { RECOMMENDER_URL: recommender, LLM_ROUTER_URL: router });
  const phases: [string, Phase][] = [];
  progress("everything up");
  phases.push(["everything up", await phase(shop)]);
  progress("killing all four under load");
  const kill = () => {
    for (const [name, child] of children) if (name !== "product-api") child.kill("SIGKILL");
  };
  phases.push(["all four killed halfway", await phase(shop, kill)]);
  progress("all four down");
  phases.push(["all four down", await phase(shop)]);
  progress("");
  const percent = (part: number, all: number) => `${((100 * part) / all).toFixed(2)} %`;
  console.log(
    textTable([
      ["", "pages", "available", "whole", "median ms", "99 % ms"],
      ...phases.map(([name, p]) => [
        name,
        `${p.pages}`,
        percent(p.good, p.pages),
        percent(p.whole, p.pages),
        quantile([...p.times], 0.5).toFixed(1),
        quantile([...p.times], 0.99).toFixed(1),
      ]),
    ]),
  );
} finally {
  for (const child of children.values()) child.kill("SIGKILL");
  await agent.destroy();
  rmSync(folder, { recursive: true, force: true });
}
