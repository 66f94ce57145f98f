import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import mqtt from "mqtt";
import { expect, it } from "vitest";
import { startProcess, stopProcess } from "../../src/lab/bench/gateway/processes.ts";
import { temporaryDirectory } from "../../src/services/kit/kit.testkit.ts";
import { freePort, waitFor } from "../setup/ports.ts";
import { requireServer } from "../setup/require-server.ts";
import { reading } from "./start.ts";

const runner = join(import.meta.dirname, "../../src/lab/bench/gateway/run-gateway.ts");

/** Whether this machine lets a process be traced: containers often do not. */
async function mayTrace(strace: string): Promise<boolean> {
  return promisify(execFile)(strace, ["-o", "/dev/null", "true"]).then(
    () => true,
    () => false,
  );
}

it("between a PUBLISH and its PUBACK lies an fsync, every time", async (context) => {
  const strace = requireServer("strace", context);
  if (!(await mayTrace(strace))) context.skip("this machine does not allow tracing");
  const dir = temporaryDirectory();
  const [httpPort, mqttPort] = [await freePort(), await freePort()];
  const trace = join(dir.path, "trace");
  const gateway = startProcess({
    command: strace,
    args: [
      // -D: the process that is started is the gateway itself, so that it is the one that is stopped.
      ...["-D", "-f", "-s", "40", "-o", trace, "-e", "trace=fdatasync,fsync,read,write,writev"],
      ...[process.execPath, runner, `127.0.0.1:${httpPort}`],
    ],
    env: {
      HELIUS_DATA_DIR: dir.path,
      GATEWAY_MQTT_PORT: String(mqttPort),
      ADMIN_TOKEN: "t",
      // So that the store's own fsyncs are not taken for the buffer's.
      GATEWAY_CONSUME_RATE: "1",
    },
  });
  const messages = 20;
  try {
    const health = () => fetch(`http://127.0.0.1:${httpPort}/health`).then((response) => response.ok);
    await waitFor(() => health().catch(() => false), { what: "the gateway", timeoutMs: 60_000 });
    const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${mqttPort}`, { reconnectPeriod: 0 });
    for (let id = 0; id < messages; id += 1) {
      await client.publishAsync("helius/us-east-1/traced/telemetry", JSON.stringify(reading(String(id))), {
        qos: 1,
      });
    }
    await client.endAsync();
  } finally {
    await stopProcess(gateway);
  }
  await waitFor(() => /\+\+\+ exited with 0 \+\+\+/.test(readFileSync(trace, "utf8")), {
    what: "the trace's end",
  });
  let acknowledged = 0;
  let synced = false;
  for (const line of readFileSync(trace, "utf8").split("\n")) {
    // The topic comes in, the four bytes of a PUBACK go out; strace writes \\002 where the next byte is a digit.
    if (/ read\(.*helius\/us-east-1\/traced/.test(line)) synced = false;
    else if (/ f(data)?sync\(.*= 0$/.test(line)) synced = true;
    else if (/ writev?\(\d+, .*"@\\(?:2|002)/.test(line)) {
      expect(synced, line).toBe(true);
      acknowledged += 1;
    }
  }
  expect(acknowledged).toBe(messages);
  dir.remove();
});
