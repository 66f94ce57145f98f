import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { Gauge, Registry } from "prom-client";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type MonitorServer, startMonitorServer } from "./server.ts";
import { quietApi } from "./web.testkit.ts";

const said = {
  unhealthy: undefined as string | undefined,
  unready: undefined as string | undefined,
  reload: undefined as string | undefined,
  lifecycle: true,
  reloads: 0,
  statusThrows: false,
};
/** How often the pages were made. */
const rendered = { metrics: 0, status: 0 };
let server: MonitorServer;

beforeEach(async () => {
  Object.assign(said, {
    unhealthy: undefined,
    unready: undefined,
    reload: undefined,
    lifecycle: true,
    reloads: 0,
    statusThrows: false,
  });
  const registry = new Registry();
  new Gauge({
    name: "predict_up",
    help: "x",
    registers: [registry],
    collect() {
      rendered.metrics += 1;
      this.set(1);
    },
  });
  server = await startMonitorServer({
    host: "127.0.0.1",
    port: 0,
    api: {
      ...quietApi(),
      registry,
      get lifecycle() {
        return said.lifecycle;
      },
      unhealthy: () => said.unhealthy,
      unready: () => said.unready,
      status: () => {
        rendered.status += 1;
        if (said.statusThrows) throw new Error("the store is closed");
        return { epoch: 7 };
      },
      reload: async () => {
        said.reloads += 1;
        return said.reload;
      },
    },
  });
});
afterEach(() => server.close());

const ask = (path: string, method = "GET") => fetch(`${server.url}${path}`, { method });

describe("the monitor's endpoints", () => {
  it.each([
    ["/-/healthy", "Helius Self-Heal is Healthy.\n", "unhealthy"],
    ["/-/ready", "Helius Self-Heal is Ready.\n", "unready"],
  ] as const)("%s answers 200 when well, else 503 with the reason", async (path, well, field) => {
    const good = await ask(path);
    expect([good.status, await good.text()]).toEqual([200, well]);
    expect((await ask(path, "HEAD")).status).toBe(200);
    said[field] = "waiting for the first cycle";
    const bad = await ask(path);
    expect([bad.status, await bad.text()]).toEqual([503, "waiting for the first cycle\n"]);
    const head = await ask(path, "HEAD");
    expect([head.status, await head.text()]).toEqual([503, ""]);
    expect(bad.headers.get("content-type")).toMatch(/^text\/plain/);
  });

  it("/metrics is the registry, in the text format", async () => {
    const answer = await ask("/metrics");
    expect(answer.headers.get("content-type")).toMatch(/^text\/plain; version=0\.0\.4/);
    expect(await answer.text()).toContain("predict_up 1");
  });

  it("/api/v1/status is an envelope around the status", async () => {
    expect(await (await ask("/api/v1/status")).json()).toEqual({ status: "success", data: { epoch: 7 } });
  });

  it.each(["POST", "PUT"])("/-/reload by %s answers 200, or 500 with the reason", async (method) => {
    expect((await ask("/-/reload", method)).status).toBe(200);
    said.reload = "helius.yml:1:1: foo is not a known key";
    const bad = await ask("/-/reload", method);
    expect([bad.status, await bad.text()]).toEqual([
      500,
      "failed to reload config: helius.yml:1:1: foo is not a known key\n",
    ]);
    expect(said.reloads).toBe(2);
  });

  it("/-/reload is paced: a flood is answered 429 and reloads nothing", async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask("/-/reload", "POST")));
    const refused = answers.filter((answer) => answer.status === 429);
    expect(said.reloads).toBeLessThanOrEqual(4);
    expect(refused).toHaveLength(20 - said.reloads);
    expect(refused[0]?.headers.get("retry-after")).toBe("1");
  });

  it("/metrics and /api/v1/status are rendered at most so often in a flood", async () => {
    for (const path of ["/metrics", "/api/v1/status"]) {
      rendered.metrics = 0;
      rendered.status = 0;
      const startMs = performance.now();
      const pages = await Promise.all(Array.from({ length: 300 }, async () => (await ask(path)).text()));
      const seconds = (performance.now() - startMs) / 1000;
      const perSecond = path === "/metrics" ? 10 : 5;
      expect(rendered.metrics + rendered.status).toBeLessThanOrEqual(perSecond * (1 + seconds) + 1);
      expect(new Set(pages.map((page) => page.length > 10))).toEqual(new Set([true]));
    }
  });

  it.each([
    ["/api/v1/status?since=1", "GET", "since"],
    ["/-/reload?force=1", "POST", "force"],
    ["/api/v1/status?%0a%1b=1", "GET", "\\u{a}\\u{1b}"],
  ])("%s by %s is 400, naming the parameter", async (path, method, name) => {
    const answer = await ask(path, method);
    expect([answer.status, await answer.json()]).toEqual([
      400,
      { status: "error", error: `unknown parameter "${name}"; there is none here` },
    ]);
    expect(said.reloads).toBe(0);
  });

  it("a probe may carry a parameter: it is not looked at", async () => {
    for (const path of ["/-/healthy?verbose", "/-/ready?x=1", "/metrics?x=1"])
      expect((await ask(path)).status).toBe(200);
  });

  it("a URL that is too long is 414, headers that are too large 431", async () => {
    expect((await ask(`/${"x".repeat(5000)}`)).status).toBe(414);
    const answer = await fetch(`${server.url}/metrics`, { headers: { cookie: "x".repeat(20_000) } });
    expect(answer.status).toBe(431);
  });

  it("/-/reload is refused where the lifecycle is off, and reloads nothing", async () => {
    said.lifecycle = false;
    const answer = await ask("/-/reload", "POST");
    expect(answer.status).toBe(403);
    expect(await answer.text()).toContain("--web.enable-lifecycle");
    expect(said.reloads).toBe(0);
  });

  it.each([
    ["/-/healthy", "POST", "GET, HEAD"],
    ["/-/ready", "PUT", "GET, HEAD"],
    ["/metrics", "POST", "GET, HEAD"],
    ["/api/v1/status", "DELETE", "GET, HEAD"],
    ["/", "POST", "GET, HEAD"],
    ["/page/main.js", "PATCH", "GET, HEAD"],
    ["/api/v1/fleet", "POST", "GET, HEAD"],
    ["/api/v1/series", "POST", "GET, HEAD"],
    ["/api/v1/decisions", "DELETE", "GET, HEAD"],
    ["/api/v1/events", "HEAD", "GET"],
    ["/api/v1/events", "POST", "GET"],
    ["/api/v1/replay", "GET", "POST"],
    ["/-/reload", "GET", "POST, PUT"],
    ["/-/reload", "HEAD", "POST, PUT"],
    ["/-/reload", "DELETE", "POST, PUT"],
    ["/api/v1/alerts/webhook", "GET", "POST"],
    ["/api/v1/alerts/webhook", "PUT", "POST"],
  ])("%s by %s is 405, naming what would be right", async (path, method, allowed) => {
    const answer = await ask(path, method);
    expect(answer.status).toBe(405);
    expect(answer.headers.get("allow")).toBe(allowed);
    if (method !== "HEAD") expect(await answer.json()).toEqual({ status: "error", error: `use ${allowed}` });
    expect(said.reloads).toBe(0);
  });

  it("anything else is 404, in the same envelope", async () => {
    const answer = await ask("/admin/mitigate", "POST");
    expect([answer.status, await answer.json()]).toEqual([
      404,
      { status: "error", error: "nothing at /admin/mitigate" },
    ]);
  });

  it("a defect answers 500 with its reason and without its stack", async () => {
    said.statusThrows = true;
    const answer = await ask("/api/v1/status");
    expect([answer.status, await answer.json()]).toEqual([
      500,
      { status: "error", error: "the store is closed" },
    ]);
  });
});

describe("the status page", () => {
  const FILES = readdirSync(new URL("./page/", import.meta.url)).filter((name) => !name.includes(".test."));

  it("is served with a policy that forbids everything from elsewhere and everything inline", async () => {
    for (const [path, type] of [
      ["/", "text/html"],
      ["/page/page.css", "text/css"],
      ["/page/main.js", "text/javascript"],
      ["/page/icon.svg", "image/svg+xml"],
      ["/page/uplot.js", "text/javascript"],
      ["/page/uplot.css", "text/css"],
    ] as const) {
      const answer = await ask(path);
      expect(answer.status).toBe(200);
      expect(answer.headers.get("content-type")).toContain(type);
      const policy = answer.headers.get("content-security-policy") ?? "";
      expect(policy).toContain("default-src 'none'");
      expect(policy).toContain("frame-ancestors 'none'");
      expect(policy).not.toMatch(/unsafe|\*|https?:/);
      expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
      expect(answer.headers.get("x-powered-by")).toBeNull();
    }
  });

  it("is compressed, and sent again only when it has changed", async () => {
    const first = await ask("/page/main.js");
    expect([first.headers.get("content-encoding"), first.headers.get("cache-control")]).toEqual([
      "gzip",
      "no-cache",
    ]);
    const etag = first.headers.get("etag") ?? "";
    const again = await fetch(`${server.url}/page/main.js`, { headers: { "if-none-match": etag } });
    expect([again.status, await again.text()]).toEqual([304, ""]);
    const other = await fetch(`${server.url}/page/main.js`, { headers: { "if-none-match": 'W/"other"' } });
    expect(other.status).toBe(200);
    const plain = await fetch(`${server.url}/page/main.js`, { headers: { "accept-encoding": "identity" } });
    expect(plain.headers.get("content-encoding")).toBeNull();
    expect(await plain.text()).toBe(await first.text());
  });

  it("is in TypeScript here and JavaScript there: every file is served, and imports only what is", async () => {
    for (const name of FILES.filter((file) => file.endsWith(".ts"))) {
      const answer = await ask(`/page/${name.replace(/ts$/, "js")}`);
      expect([answer.status, answer.headers.get("content-type")], name).toEqual([
        200,
        "text/javascript; charset=utf-8",
      ]);
      const text = await answer.text();
      const imports = [...text.matchAll(/(?:from |import\()"([^"]*)"/g)].map(([, path]) => path ?? "");
      for (const path of imports) expect((await ask(`/page/${path}`)).status, `${name}: ${path}`).toBe(200);
      expect(text, name).not.toMatch(/^(import|export) type|^interface|: string\b/m);
    }
  });

  it("is made ready without a warning that nobody could do anything about", () => {
    const script = 'import express from "express"; (await import("./assets.ts")).routeAssets(express());';
    const cwd = new URL("./", import.meta.url);
    const { status, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", script], { cwd });
    expect([status, String(stderr)]).toEqual([0, ""]);
  });

  it("serves its own files and no others", async () => {
    for (const path of [
      "/page/",
      "/page/main.ts",
      "/page/page.test.ts",
      "/page/page.test.js",
      "/page/..%2fserver.ts",
      "/page/../server.ts",
      "/page/none.js",
    ])
      expect((await ask(path)).status, path).toBe(404);
  });

  it("keeps to that policy: nothing inline, nothing from elsewhere, no HTML out of data", () => {
    const read = (file: string) => readFileSync(new URL(`./page/${file}`, import.meta.url), "utf8");
    const html = read("index.html");
    expect(html).not.toMatch(/<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)/);
    expect(html).not.toMatch(/(src|href)="(https?:)?\/\//);
    const scripts = FILES.filter((name) => name.endsWith(".ts"));
    expect(scripts.length).toBeGreaterThan(10);
    for (const file of scripts)
      expect(read(file), file).not.toMatch(/innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b/);
    for (const file of FILES.filter((name) => name.endsWith(".css")))
      expect(read(file)).not.toMatch(/@import|url\(/);
  });
});

describe("listening", () => {
  it("on a port that is taken fails with the port and the flag that changes it", async () => {
    const { port } = server;
    const api = quietApi();
    const second = startMonitorServer({ host: "127.0.0.1", port, api });
    await expect(second).rejects.toThrow(expect.objectContaining({ name: "ListenError" }));
    await expect(second).rejects.toThrow(
      `port ${port} on 127.0.0.1 is already in use; choose another with --web.listen-address=HOST:PORT`,
    );
  });

  it("on an address that is not ours says what failed", async () => {
    const api = quietApi();
    await expect(startMonitorServer({ host: "192.0.2.1", port: 0, api })).rejects.toThrow(
      "cannot listen on 192.0.2.1:0 (EADDRNOTAVAIL)",
    );
  });

  it("on all interfaces is shown under an address that can be asked", async () => {
    const api = quietApi();
    const all = await startMonitorServer({ host: "0.0.0.0", port: 0, api });
    try {
      expect(all.url).toBe(`http://127.0.0.1:${all.port}`);
      expect((await fetch(`${all.url}/-/healthy`)).status).toBe(200);
    } finally {
      await all.close();
    }
  });

  it("ends with close: the port is free again", async () => {
    const api = quietApi();
    const short = await startMonitorServer({ host: "127.0.0.1", port: 0, api });
    await (await fetch(`${short.url}/-/healthy`)).text();
    await short.close();
    const again = createServer();
    await new Promise<void>((resolve, reject) => {
      again.once("error", reject).listen(short.port, "127.0.0.1", resolve);
    });
    await new Promise((resolve) => again.close(resolve));
  });
});
