// `npm run bench:overhead`: what instrumentation and admin plane cost a request, beside a bare Express route.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { median } from "simple-statistics";
import { Agent, request } from "undici";
import { textTable } from "../../../common/text/table.ts";
import { progress } from "../progress.ts";

const SERVER = fileURLToPath(new URL("./server.ts", import.meta.url));
const REQUESTS = 8000;
const CONNECTIONS = 8;
const ROUNDS = 7;

interface Server {
  readonly child: ChildProcess;
  readonly url: string;
  readonly agent: Agent;
}

async function start(kind: "bare" | "kit"): Promise<Server> {
  const child = spawn(process.execPath, [SERVER, kind], { stdio: ["ignore", "pipe", "inherit"] });
  const [url] = (await once(createInterface({ input: child.stdout }), "line")) as [string];
  return { child, url, agent: new Agent({ connections: CONNECTIONS, pipelining: 1 }) };
}

/** Requests a second over one round, each connection one request at a time. */
async function round({ url, agent }: Server): Promise<number> {
  let left = REQUESTS;
  const began = performance.now();
  await Promise.all(
    Array.from({ length: CONNECTIONS }, async () => {
      for (; left > 0; left--) {
        const { body, statusCode } = await request(`${url}/thing/${left % 100}`, { dispatcher: agent });
        if (statusCode !== 200) throw new Error(`status ${statusCode}`);
        await body.dump();
      }
    }),
  );
  return (1000 * REQUESTS) / (performance.now() - began);
}

const bare = await start("bare");
const kit = await start("kit");
try {
  const rates: { bare: number; kit: number }[] = [];
  for (let k = -1; k < ROUNDS; k++) {
    progress(`round ${k + 2} of ${ROUNDS + 1}`);
    // In turn, so that a machine that slows down slows both.
    const pair = { bare: await round(bare), kit: await round(kit) };
    if (k >= 0) rates.push(pair);
  }
  progress("");
  const of = (pick: (r: { bare: number; kit: number }) => number) => median(rates.map(pick));
  const perRequest = (rate: number) => `${(1e6 / rate).toFixed(0)} µs`;
  console.log(
    textTable([
      ["", "requests/s", "a request"],
      ["bare Express route", of((r) => r.bare).toFixed(0), perRequest(of((r) => r.bare))],
      ["the same route in the service kit", of((r) => r.kit).toFixed(0), perRequest(of((r) => r.kit))],
    ]),
  );
  console.log(
    `\ntime with the kit / without, median of ${ROUNDS} pairs: ${of((r) => r.bare / r.kit).toFixed(2)}`,
  );
} finally {
  for (const server of [bare, kit]) {
    server.child.kill();
    await server.agent.destroy();
  }
}
