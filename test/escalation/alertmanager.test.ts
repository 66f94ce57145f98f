import { createServer, type Server } from "node:http";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { EscalationAlert, Notifier } from "../../src/monitor/kernel/verification.ts";
import { createAlertmanagerNotifier } from "../../src/monitor/notify/alertmanager/index.ts";
import { type RunningAlertmanager, startAlertmanager } from "../setup/alertmanager.ts";
import {
  drip,
  type FaultServer,
  flood,
  hang,
  reset,
  respond,
  respondJson,
  startFaultServer,
  truncate,
} from "../setup/fault-server.ts";
import { freePort, waitFor } from "../setup/ports.ts";
import { requireServer, serverPath } from "../setup/require-server.ts";
import { standStill } from "../setup/stand-still.ts";

// The notifier against a real Alertmanager, and against a server that breaks HTTP in every way it can be broken.

interface Told {
  readonly status: string;
  readonly labels: Record<string, string>;
  readonly startsAt: string;
}

let receiver: Server;
const webhooks: Told[] = [];
let alertmanager: RunningAlertmanager | undefined;
const open: Notifier[] = [];
const servers: FaultServer[] = [];

beforeAll(async () => {
  const binary = serverPath("alertmanager");
  if (binary === undefined) return;
  receiver = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk) => {
      body += chunk;
    });
    request.on("end", () => {
      webhooks.push(...(JSON.parse(body) as { alerts: Told[] }).alerts);
      response.end();
    });
  });
  await new Promise<void>((resolve) => receiver.listen(0, "127.0.0.1", resolve));
  const { port } = receiver.address() as { port: number };
  alertmanager = await startAlertmanager({
    binary,
    config: `
route: { receiver: people, group_by: [target], group_wait: 100ms, group_interval: 300ms, repeat_interval: 1h }
receivers:
  - name: people
    webhook_configs: [{ url: "http://127.0.0.1:${port}/", send_resolved: true }]
`,
  });
});

afterEach(async () => {
  for (const notifier of open.splice(0)) await notifier.close();
  for (const server of servers.splice(0)) await server.close();
});

afterAll(async () => {
  await alertmanager?.stop();
  receiver?.closeAllConnections();
  await new Promise((resolve) => (receiver === undefined ? resolve(undefined) : receiver.close(resolve)));
});

function notifierTo(url: string, over: { timeoutMs?: number; now?: () => number } = {}): Notifier {
  const notifier = createAlertmanagerNotifier({
    url,
    timeoutMs: 5000,
    maxRetryDelayMs: 20,
    random: () => 0.5,
    now: Date.now,
    ...over,
  });
  open.push(notifier);
  return notifier;
}

function alertOf(target: string, over: Partial<EscalationAlert> = {}): EscalationAlert {
  return {
    labels: { alertname: "SelfHealEscalation", target, signal: "p95_latency", severity: "critical" },
    annotations: { summary: `Self-healing of ${target} has stopped: 3 actions did not help` },
    startsAtMs: Date.now(),
    endsAtMs: Date.now() + 240_000,
    ...over,
  };
}

interface Known {
  readonly labels: Record<string, string>;
  readonly annotations: Record<string, string>;
  readonly startsAt: string;
  readonly endsAt: string;
  readonly generatorURL: string;
}

/** What Alertmanager itself says of a target. */
async function known(target: string): Promise<Known[]> {
  const all = (await (await fetch(`${alertmanager?.url}/api/v2/alerts`)).json()) as Known[];
  return all.filter((a) => a.labels.target === target);
}

const never = new AbortController().signal;
const statuses = (target: string) => webhooks.filter((w) => w.labels.target === target).map((w) => w.status);

test("a real Alertmanager has one alert an episode, however often it is told, and people hear its end", async (context) => {
  requireServer("alertmanager", context);
  const notifier = notifierTo(alertmanager?.url as string);
  const first = alertOf("episode", { generatorUrl: "http://monitor:9105" });
  for (const more of [0, 60_000, 120_000]) {
    const told = await notifier.notify([{ ...first, endsAtMs: first.endsAtMs + more }], never);
    expect(told).toMatchObject({ status: "delivered" });
  }
  const listed = await known("episode");
  expect(listed).toHaveLength(1);
  expect(listed[0]).toMatchObject({
    labels: first.labels,
    annotations: first.annotations,
    generatorURL: "http://monitor:9105",
  });
  expect(Date.parse(listed[0]?.startsAt as string)).toBe(first.startsAtMs);
  expect(Date.parse(listed[0]?.endsAt as string)).toBe(first.endsAtMs + 120_000);
  await waitFor(() => statuses("episode").includes("firing"), { what: "the notification" });
  await notifier.notify([{ ...first, endsAtMs: Date.now() }], never);
  await waitFor(() => statuses("episode").includes("resolved"), { what: "the all-clear" });
  expect(await known("episode")).toEqual([]);
  expect(statuses("episode")).toEqual(["firing", "resolved"]);
});

test("an alert that is not renewed goes out by itself", async (context) => {
  requireServer("alertmanager", context);
  const told = await notifierTo(alertmanager?.url as string).notify(
    [alertOf("alone", { endsAtMs: Date.now() + 1500 })],
    never,
  );
  expect(told.status).toBe("delivered");
  expect(await known("alone")).toHaveLength(1);
  await waitFor(() => statuses("alone").includes("resolved"), { what: "the end of what nobody renewed" });
});

test.for([
  ["ahead", 3_600_000],
  ["behind", -3_600_000],
] as const)(
  "with a clock an hour %s of Alertmanager's an alert still begins, lasts and ends",
  async ([name, offMs], context) => {
    requireServer("alertmanager", context);
    const now = () => Date.now() + offMs;
    const notifier = notifierTo(alertmanager?.url as string, { now });
    const alert = alertOf(name, { startsAtMs: now(), endsAtMs: now() + 240_000 });
    const told = await notifier.notify([alert], never);
    expect(told).toMatchObject({ status: "delivered" });
    await waitFor(() => statuses(name).at(-1) === "firing", { what: "the notification" });
    expect(
      Math.abs(Date.parse((await known(name)).at(0)?.endsAt as string) - Date.now() - 240_000),
    ).toBeLessThan(10_000);
    expect(await notifier.notify([{ ...alert, endsAtMs: now() }], never)).toMatchObject({
      status: "delivered",
    });
    await waitFor(() => statuses(name).at(-1) === "resolved", { what: "the all-clear" });
  },
);

test("more alerts than one call takes all arrive, and nothing is sent for none", async (context) => {
  requireServer("alertmanager", context);
  const notifier = notifierTo(alertmanager?.url as string);
  expect(await notifier.notify([], never)).toMatchObject({ status: "delivered" });
  const many = Array.from({ length: 120 }, (_, n) =>
    alertOf("many", { labels: { ...alertOf("many").labels, n: `${n}` } }),
  );
  expect(await notifier.notify(many, never)).toMatchObject({ status: "delivered" });
  expect(await known("many")).toHaveLength(120);
  const ended = many.map((a) => ({ ...a, endsAtMs: Date.now() }));
  await notifier.notify(ended, never);
});

test("an alert that Alertmanager does not take is told with its own words, and not repeated", async (context) => {
  requireServer("alertmanager", context);
  const wrong = alertOf("wrong", { labels: { "not a label": "x" } });
  const told = await notifierTo(alertmanager?.url as string).notify([wrong], never);
  expect(told).toMatchObject({
    status: "failed",
    retryable: false,
    detail: expect.stringMatching(/^HTTP 400: .*label/),
  });
});

test("an Alertmanager that stands still, then goes on, then is gone", async (context) => {
  const binary = requireServer("alertmanager", context);
  const port = await freePort();
  const config = "route: { receiver: none }\nreceivers: [{ name: none }]\n";
  const other = await startAlertmanager({ binary, config, port });
  const notifier = notifierTo(other.url, { timeoutMs: 700 });
  try {
    await standStill(other.pid);
    const began = performance.now();
    const stuck = await notifier.notify([alertOf("x")], never);
    expect(stuck).toEqual({
      status: "failed",
      detail: "no complete answer before the deadline",
      retryable: true,
    });
    expect(performance.now() - began).toBeLessThan(15_000);
    other.signal("SIGCONT");
    await waitFor(async () => (await notifier.notify([alertOf("x")], never)).status === "delivered", {
      what: "an Alertmanager that goes on",
    });
  } finally {
    await other.kill();
  }
  expect(await notifier.notify([alertOf("x")], never)).toMatchObject({
    status: "failed",
    retryable: true,
    detail: expect.stringContaining("ECONNREFUSED"),
  });
});

async function faulty(handler: Parameters<typeof startFaultServer>[0]): Promise<FaultServer> {
  const server = await startFaultServer(handler);
  servers.push(server);
  return server;
}

test("a redirect is refused: what we know goes to the address we were given only", async () => {
  const elsewhere = await faulty(respondJson({}));
  const server = await faulty(
    respond({ status: 307, headers: { location: `${elsewhere.url}/api/v2/alerts` } }),
  );
  expect(await notifierTo(server.url).notify([alertOf("x")], never)).toEqual({
    status: "failed",
    detail: "HTTP 307: a redirect is never followed",
    retryable: false,
  });
  expect([server.requests(), elsewhere.requests()]).toEqual([1, 0]);
});

test("a 500, then a broken connection, then an answer: it is repeated, the same each time", async () => {
  const bodies: string[] = [];
  const server = await faulty((exchange) => {
    bodies.push(exchange.body);
    if (exchange.count === 1) return respond({ status: 500, body: "not yet" })(exchange);
    if (exchange.count === 2) return reset()(exchange);
    return respondJson({})(exchange);
  });
  expect(await notifierTo(server.url).notify([alertOf("x")], never)).toEqual({
    status: "delivered",
  });
  expect(bodies).toHaveLength(3);
  expect(new Set(bodies).size).toBe(1);
});

test("what never comes right is given up after three attempts", async () => {
  const server = await faulty(respond({ status: 503, body: "overloaded\n\u0007" }));
  expect(await notifierTo(server.url).notify([alertOf("x")], never)).toEqual({
    status: "failed",
    detail: "HTTP 503: overloaded",
    retryable: true,
  });
  expect(server.requests()).toBe(3);
});

test.each<[string, Parameters<typeof startFaultServer>[0], string]>([
  ["never answers", hang(), "failed"],
  ["drips", drip({ body: "x".repeat(1000), everyMs: 50 }), "failed"],
  ["answers with a hundred megabytes", flood({ bytes: 100_000_000, contentType: "text/plain" }), "delivered"],
  ["breaks off in its answer", truncate("0123456789"), "delivered"],
  ["speaks another protocol", ({ socket }) => void socket.write("SSH-2.0-OpenSSH_9.2\r\n\r\n"), "failed"],
])("a server that %s holds nothing up", async (_what, handler, status) => {
  const server = await faulty(handler);
  const began = performance.now();
  const told = await notifierTo(server.url, { timeoutMs: 500 }).notify([alertOf("x")], never);
  expect(told.status).toBe(status);
  expect(performance.now() - began).toBeLessThan(15_000);
});

test("whoever stops waiting is answered at once", async () => {
  const server = await faulty(hang());
  const stop = new AbortController();
  const told = notifierTo(server.url).notify([alertOf("x")], stop.signal);
  await waitFor(() => server.requests() > 0, { what: "the call" });
  stop.abort();
  expect(await told).toMatchObject({ status: "failed", detail: "cancelled" });
  expect(await notifierTo(server.url).notify([alertOf("x")], stop.signal)).toMatchObject({
    detail: "cancelled",
  });
  expect(server.requests()).toBe(1);
});
