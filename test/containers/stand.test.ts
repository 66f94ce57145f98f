import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import mqtt from "mqtt";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { services as heliusServices } from "../../src/services/registry.ts";
import { startMlflow } from "../recommender/mlflow-server.ts";
import { freePort, waitFor } from "../setup/ports.ts";
import { requireServer } from "../setup/require-server.ts";
import { inRepository, mounted, readRepository } from "./compose.ts";
import { copies, execForm, only, parseDockerfile } from "./dockerfile.ts";
import { commandOf, compose, environmentOf, exitCode, healthcheck, layOut } from "./image.ts";

// What the services stand on, as compose has it, as far as a machine without a container engine can run it: the real
// brokers on the shipped configuration, and every command of our own image against them.

let folder = "";
const undo: (() => unknown)[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "helius-stand-"));
});
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
  rmSync(folder, { recursive: true, force: true });
});

type Skipping = Parameters<typeof requireServer>[1];

/** Starts a server and waits until its port is open; it is ended after the test. */
async function serve(binary: string, args: readonly string[], port: number): Promise<() => string> {
  const child = spawn(binary, args, { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk: Buffer) => {
      said += chunk.toString();
    });
  const ended = once(child, "exit");
  undo.push(async () => {
    child.kill("SIGTERM");
    await ended;
  });
  await waitFor(
    () => {
      if (child.exitCode !== null) throw new Error(`${binary} ended: ${said}`);
      return isOpen(port);
    },
    { what: `${binary} to listen: ${said}`, timeoutMs: 60_000 },
  );
  return () => said;
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}

/** mosquitto on the shipped file, with a port and a folder of this machine. */
async function startMosquitto(context: Skipping): Promise<number> {
  const program = requireServer("mosquitto", context);
  const port = await freePort();
  const data = join(folder, "mosquitto");
  // Started by root it changes to a user of its own.
  chmodSync(folder, 0o755);
  mkdirSync(data);
  chmodSync(data, 0o777);
  const file = join(folder, "mosquitto.conf");
  const text = readRepository("deploy/mosquitto/mosquitto.conf")
    .replace("listener 1883", `listener ${port} 127.0.0.1`)
    .replace("/mosquitto/data/", `${data}/`);
  writeFileSync(file, text);
  const said = await serve(program, ["-c", file], port);
  expect(said()).not.toMatch(/error|unknown/i);
  return port;
}

/** nats-server on the shipped file, with ports and a folder of this machine. */
async function startNats(context: Skipping): Promise<{ readonly port: number; readonly httpPort: number }> {
  const program = requireServer("nats-server", context);
  const [port, httpPort] = [await freePort(), await freePort()];
  const file = join(folder, "nats.conf");
  const text = readRepository("deploy/nats/nats.conf")
    .replace("0.0.0.0:4222", `127.0.0.1:${port}`)
    .replace("127.0.0.1:8222", `127.0.0.1:${httpPort}`)
    // Debian's server is older than this key.
    .replace("  sync_interval: always\n", "")
    .replace('"/store"', JSON.stringify(join(folder, "nats")));
  writeFileSync(file, text);
  const check = spawnSync(program, ["-t", "-c", file], { encoding: "utf8" });
  expect(check.status, check.stderr).toBe(0);
  await serve(program, ["-c", file], port);
  return { port, httpPort };
}

test("NATS takes its file: JetStream with an fsync a write, and the health that compose asks", async (context) => {
  const { httpPort } = await startNats(context);
  const words = healthcheck("nats", httpPort);
  expect(words.slice(0, -1)).toEqual(["wget", "-q", "-O", "/dev/null"]);
  // Its ports are open a moment before it calls itself healthy.
  const health = await waitFor(
    async () => {
      const answer = await fetch(words.at(-1) as string);
      return answer.status === 200 && answer.json();
    },
    { what: "NATS to call itself healthy" },
  );
  expect(health).toEqual({ status: "ok" });
  const jetstream = (await (await fetch(`http://127.0.0.1:${httpPort}/jsz`)).json()) as {
    config: { store_dir: string; max_storage: number };
  };
  expect(jetstream.config.store_dir).toContain(folder);
  expect(jetstream.config.max_storage).toBeGreaterThan(10 ** 9);
  expect(readRepository("deploy/nats/nats.conf")).toMatch(/^\s*sync_interval: always$/m);
});

test("every service starts with compose's command and environment, and telemetry goes through the brokers", async (context) => {
  const image = layOut();
  undo.push(() => image.end());
  const mqttPort = await startMosquitto(context);
  const { port: natsPort } = await startNats(context);
  const mlflow = await startMlflow();
  undo.push(() => mlflow.stop());
  const ports = new Map<string, number>();
  for (const name of heliusServices.keys()) ports.set(name, await freePort());
  const at = {
    folder: image.folder,
    addresses: {
      "mosquitto:1883": `127.0.0.1:${mqttPort}`,
      "nats:4222": `127.0.0.1:${natsPort}`,
      "mlflow-tracker:5000": new URL(mlflow.url).host,
      ...Object.fromEntries(
        [...heliusServices.values()].map((s) => [
          `${s.name}:${s.defaultPort}`,
          `127.0.0.1:${ports.get(s.name)}`,
        ]),
      ),
    },
  };
  // The first model is registered by the command that compose runs once; a second run changes nothing.
  for (const said of ["registered as          helius-reco/1", "already registered     helius-reco/1"]) {
    const training = image.start(
      commandOf("recommender-training"),
      environmentOf("recommender-training", at),
    );
    expect(await exitCode(training), training.output()).toBe(0);
    expect(training.output()).toContain(said);
  }
  const started = [...ports].map(([name, port]) => ({
    name,
    port,
    process: image.start([...commandOf(name), `--web.listen-address=127.0.0.1:${port}`], {
      ...environmentOf(name, at),
      ADMIN_LISTEN_ADDRESS: "",
      HELIUS_DATA_DIR: join(image.folder, `data-${name}`),
    }),
  }));
  for (const s of started) {
    // Cheap at first: a health check starts a Node, and six of them are just starting.
    const answers = () => fetch(`http://127.0.0.1:${s.port}/health`).then((answer) => answer.ok);
    await waitFor(() => answers().catch(() => false), {
      what: `${s.name} to answer`,
      timeoutMs: 90_000,
      everyMs: 200,
    });
    await image.becomesHealthy(healthcheck(s.name, s.port), s.process);
  }

  const get = async (name: string, path: string) => fetch(`http://127.0.0.1:${ports.get(name)}${path}`);
  await waitFor(
    async () =>
      ((await (await get("recommender-service", "/health")).json()) as { mode: string }).mode === "mlflow",
    { what: "the registry's model", timeoutMs: 40_000 },
  );
  const subscribed = async () =>
    ((await (await get("telemetry-gateway", "/health")).json()) as { mqtt_regions_subscribed: number })
      .mqtt_regions_subscribed === 4;
  await waitFor(subscribed, { what: "the gateway at the broker", timeoutMs: 60_000 });
  const device = await mqtt.connectAsync(`mqtt://127.0.0.1:${mqttPort}`, { reconnectPeriod: 0 });
  undo.push(() => device.endAsync(true));
  for (let id = 0; id < 5; id++)
    await device.publishAsync(
      "helius/sa-east-1/pump/telemetry",
      JSON.stringify({ id: `${id}`, ts: Date.now(), metrics: { t: id } }),
      { qos: 1 },
    );
  await waitFor(
    async () =>
      (await (await get("telemetry-gateway", "/metrics")).text()).includes(
        'telemetry_delivered_total{region="sa-east-1"} 5',
      ),
    { what: "five messages delivered", timeoutMs: 60_000 },
  );
  const submitted = await fetch(`http://127.0.0.1:${ports.get("llm-router")}/jobs`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ prompt: "The queue of sa-east-1 grows. What now?" }),
  });
  const { status: path } = (await submitted.json()) as { status: string };
  await waitFor(
    async () => ((await (await get("llm-router", path)).json()) as { state: string }).state === "succeeded",
    { what: "the job", timeoutMs: 60_000 },
  );
  for (const { name } of started) {
    const file = join(image.folder, "logs", `${name}.log`);
    expect(statSync(file).mode & 0o777, name).toBe(0o640);
    expect(JSON.parse(readFileSync(file, "utf8").split("\n")[0] ?? "")).toMatchObject({ job: name });
  }
});

describe.each(["nats", "s3", "mlflow-tracker"])("the image of %s", (name) => {
  const service = compose.services[name];
  const context = service?.build?.context.replace(/^\.\//, "") ?? "";
  const file = parseDockerfile(readRepository(`${context}/Dockerfile`));

  test("stands on a pinned public one, whose version it bears, and runs as an ordinary user", () => {
    const base = only(file, "FROM");
    expect(base).toMatch(/^[\w./-]+:v?\d+(\.\d+)+(-alpine)?$/);
    const version = /:v?([\d.]+)/.exec(base)?.[1];
    expect(service?.image.split(":")[1]).toBe(version);
    expect(only(file, "USER")).toBe("1000:1000");
    execForm(only(file, "ENTRYPOINT"));
    for (const { from } of copies(file).filter((c) => c.from !== "/opt/helius/"))
      expect(existsSync(inRepository(`${context}/${from}`)), from).toBe(true);
    for (const { args } of file.filter((i) => i.args.includes("pip install")))
      for (const word of args.split(" ").slice(2)) expect(word).toMatch(/^--no-cache-dir$|^[\w-]+==[\d.]+$/);
  });

  test("owns what is mounted on it", () => {
    const volumes = (service?.volumes ?? []).filter((v) => !v.startsWith("./")).map((v) => v.split(":")[1]);
    for (const target of volumes)
      expect(only(file, "RUN")).toBe(`mkdir ${target} && chown 1000:1000 ${target}`);
  });
});

test("what the brokers and stores are told to read is mounted", () => {
  expect(mounted(compose.services.nats, compose.services.nats?.command?.[1] ?? "")).toBe(
    "./deploy/nats/nats.conf",
  );
  expect(mounted(compose.services.mosquitto, "/mosquitto/config/mosquitto.conf")).toBe(
    "./deploy/mosquitto/mosquitto.conf",
  );
  const directory = /^persistence_location (\S+)\/$/m.exec(
    readRepository("deploy/mosquitto/mosquitto.conf"),
  )?.[1];
  expect(mounted(compose.services.mosquitto, directory ?? "")).toBe("mosquitto-data");
  expect(/store_dir: "(.+)"/.exec(readRepository("deploy/nats/nats.conf"))?.[1]).toBe("/store");
  expect(compose.services.s3?.command).toContain("-dir=/store");
});

test("Alloy's health check asks without an HTTP client, and can fail", async () => {
  let status = 200;
  const server = createServer((_, response) => response.writeHead(status).end("said"));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  undo.push(() => server.close());
  const address = server.address();
  const port = typeof address === "object" ? (address?.port ?? 0) : 0;
  const [kind, shell = "", ...words] = compose.services.alloy?.healthcheck?.test ?? [];
  expect([kind, shell]).toEqual(["CMD", "bash"]);
  const run = async (at: number) => {
    const child = spawn(
      shell,
      words.map((w) => w.replace("12345", String(at))),
      { stdio: "ignore" },
    );
    return (await once(child, "exit"))[0] as number;
  };
  expect(await run(port)).toBe(0);
  status = 503;
  expect(await run(port)).not.toBe(0);
  expect(await run(await freePort())).not.toBe(0);
});

test("make-secrets writes one file for each secret of compose, each time others, and keeps what is there", () => {
  const make = (into: string) => spawnSync(inRepository("deploy/make-secrets"), [into], { encoding: "utf8" });
  const [first, second] = [join(folder, "one"), join(folder, "two")];
  for (const into of [first, second]) expect(make(into).status).toBe(0);
  expect(statSync(first).mode & 0o777).toBe(0o700);
  for (const name of Object.keys(compose.secrets)) {
    const text = readFileSync(join(first, name), "utf8");
    expect(readFileSync(join(second, name), "utf8")).not.toBe(text);
    expect(statSync(join(first, name)).mode & 0o777).toBe(0o644);
    if (name !== "s3_identities") expect(text).toMatch(/^[0-9a-f]{64}\n$/);
  }
  const identities = (path: string) => {
    const { identities: all } = JSON.parse(readFileSync(path, "utf8")) as {
      identities: { name: string; actions: string[]; credentials: { accessKey: string }[] }[];
    };
    return all.map((i) => [i.name, i.actions, i.credentials[0]?.accessKey]);
  };
  expect(identities(join(first, "s3_identities"))).toEqual(
    identities(inRepository("deploy/secrets/development/s3_identities")),
  );
  const before = readFileSync(join(first, "admin_token"), "utf8");
  expect(make(first).stdout).toContain("kept");
  expect(readFileSync(join(first, "admin_token"), "utf8")).toBe(before);
  const wrong = spawnSync(inRepository("deploy/make-secrets"), [], { encoding: "utf8" });
  expect([wrong.status, wrong.stderr]).toEqual([2, "usage: deploy/make-secrets FOLDER\n"]);
});

/** Runs the start of the tracking server with a `boto3` and an `mlflow` that write down what they are asked. */
function startTracker(env: Record<string, string>) {
  const fake = join(folder, "fake");
  mkdirSync(join(fake, "botocore"), { recursive: true });
  writeFileSync(
    join(fake, "boto3.py"),
    `class Store:
    def list_buckets(self): return {"Buckets": [{"Name": "other"}]}
    def create_bucket(self, Bucket): print("created", Bucket)
def client(kind, endpoint_url):
    print(kind, endpoint_url)
    return Store()
`,
  );
  writeFileSync(join(fake, "botocore", "__init__.py"), "");
  writeFileSync(
    join(fake, "botocore", "exceptions.py"),
    "class BotoCoreError(Exception): pass\nclass ClientError(Exception): pass\n",
  );
  writeFileSync(
    join(fake, "mlflow"),
    '#!/bin/sh\necho "mlflow $*"\nenv | grep -E "^(AWS|MLFLOW)_" | sort\n',
    {
      mode: 0o755,
    },
  );
  return spawnSync("python3", [inRepository("deploy/mlflow/start.py")], {
    encoding: "utf8",
    env: { PATH: `${fake}${delimiter}${process.env.PATH}`, PYTHONPATH: fake, PYTHONUNBUFFERED: "1", ...env },
  });
}

test("the tracking server starts with its secrets out of the files, and not on its command line", (context) => {
  if (spawnSync("python3", ["--version"]).error !== undefined) context.skip("python3 is missing");
  const env = environmentOf("mlflow-tracker", { folder });
  writeFileSync(join(folder, "password"), "p@ss/word%\n");
  const run = startTracker({ ...env, MLFLOW_DB_PASSWORD_FILE: join(folder, "password") });
  expect(run.status, run.stderr).toBe(0);
  const lines = run.stdout.split("\n");
  expect(lines).toContain("s3 http://s3:8333");
  expect(lines).toContain("created mlflow");
  expect(lines).toContain(
    "MLFLOW_BACKEND_STORE_URI=postgresql://mlflow:p%40ss%2Fword%25@postgres:5432/mlflow",
  );
  expect(lines).toContain("AWS_SECRET_ACCESS_KEY=development");
  const command = lines.find((line) => line.startsWith("mlflow server")) ?? "";
  expect(command).toContain("--artifacts-destination s3://mlflow");
  expect(command).toContain(`--port ${compose.services["mlflow-tracker"]?.ports?.[0]?.split(":")[2]}`);
  expect(command).not.toMatch(/p@ss|p%40|development/);
  const without = startTracker({ ...env, MLFLOW_DB_PASSWORD_FILE: "/nowhere" });
  expect([without.status, without.stderr]).toEqual([
    1,
    "MLFLOW_DB_PASSWORD_FILE=/nowhere: cannot be read: No such file or directory; expected a file with the secret\n",
  ]);
  expect(startTracker({ ...env, MLFLOW_DB: "postgres" }).stderr).toContain(
    "expected USER@HOST:PORT/DATABASE",
  );
});
