import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Instance } from "../../kernel/target.ts";
import { workloadInstance } from "../shared/callees.ts";
import { INTENT, kubeconfigText, startApi, TOKEN, temporaryFile, testAction } from "./cluster.testkit.ts";

const TRACKER = workloadInstance("helius/deployment/mlflow-tracker") as Instance;
const SERVICE_ACCOUNT = "var/run/secrets/kubernetes.io/serviceaccount";

async function restart(more: Parameters<typeof testAction>[0]) {
  return testAction(more).action.execute(INTENT, TRACKER, new AbortController().signal);
}

beforeEach(() => {
  vi.stubEnv("KUBERNETES_SERVICE_HOST", "");
  vi.stubEnv("KUBERNETES_SERVICE_PORT", "");
});
afterEach(() => vi.unstubAllEnvs());

/** A key and a certificate for 127.0.0.1 that is its own authority. */
function certificate(): { key: string; cert: string } {
  const key = temporaryFile("key.pem", "");
  const cert = join(dirname(key), "cert.pem");
  const made = spawnSync(
    "openssl",
    // biome-ignore format: one argument a pair
    ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
     "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert],
    { encoding: "utf8" },
  );
  if (made.status !== 0) throw new Error(made.stderr);
  return { key: readFileSync(key, "utf8"), cert: readFileSync(cert, "utf8") };
}

describe("without a cluster", () => {
  it("nothing is done, and the detail says how to give one", async () => {
    const outcome = await restart({});
    expect(outcome).toMatchObject({
      status: "refused",
      httpStatus: undefined,
      detail:
        "not restarted: no cluster is configured: set actions.kubernetes.kubeconfig, or run in a pod with a service account",
    });
  });

  it.each([
    ["that is not there", undefined, /^not restarted: the kubeconfig .*nothing cannot be used: ENOENT$/],
    ["that is empty", "", /cannot be used: .* is empty in line 1$/],
    ["that is a word", "token", /cannot be used: it is not a kubeconfig$|names no cluster/],
    ["that is no YAML", `token: "${TOKEN}`, /cannot be used: .* in line 1$/],
    ["without clusters", "apiVersion: v1", /names no cluster for its context$/],
  ])("a kubeconfig %s is named, and not a word of it", async (_, text, detail) => {
    const kubeconfig = text === undefined ? "/nowhere/nothing" : temporaryFile("config", text);
    const outcome = await restart({ kubeconfig });
    expect(outcome.status).toBe("refused");
    expect(outcome.detail).toMatch(detail);
    expect(JSON.stringify(outcome)).not.toContain(TOKEN);
  });

  it("a context that the file does not have is named, with those it has", async () => {
    const kubeconfig = temporaryFile("config", kubeconfigText("http://127.0.0.1:1"));
    const outcome = await restart({ kubeconfig, context: "moon" });
    expect(outcome.detail).toContain("has no context moon; it has here, elsewhere");
  });
});

describe("logging in", () => {
  it("goes to the cluster of the context", async () => {
    const api = await startApi();
    const kubeconfig = temporaryFile("config", kubeconfigText(api.url));
    expect((await restart({ kubeconfig, context: "elsewhere" })).status).toBe("failed");
    expect(api.asked).toEqual([]);
    expect((await restart({ kubeconfig, context: "here" })).status).toBe("applied");
  });

  it("with a wrong token is refused, and the token is not told", async () => {
    const api = await startApi();
    const kubeconfig = temporaryFile("config", kubeconfigText(api.url, { token: "a-wrong-token" }));
    const outcome = await restart({ kubeconfig });
    expect(outcome).toMatchObject({ status: "refused", httpStatus: 401 });
    expect(JSON.stringify(outcome)).not.toContain("a-wrong-token");
  });

  it("with a token that was changed in its file uses the new one at once", async () => {
    const api = await startApi();
    const file = temporaryFile("token", "old");
    const kubeconfig = temporaryFile("config", kubeconfigText(api.url, { "token-file": file }));
    const { action } = testAction({ kubeconfig });
    const { signal } = new AbortController();
    expect((await action.execute(INTENT, TRACKER, signal)).status).toBe("refused");
    writeFileSync(file, `${TOKEN}\n`);
    expect((await action.execute(INTENT, TRACKER, signal)).status).toBe("applied");
  });

  it.each([
    ["a command", { exec: { apiVersion: "v1", command: "touch", args: ["/tmp/never"] } }],
    ["a provider's command", { "auth-provider": { name: "gcp", config: { "cmd-path": "touch" } } }],
  ])("by %s is refused: the monitor starts no programs", async (_, user) => {
    const api = await startApi();
    const kubeconfig = temporaryFile("config", kubeconfigText(api.url, user));
    const outcome = await restart({ kubeconfig });
    expect(outcome.status).toBe("refused");
    expect(outcome.detail).toContain("logs in by a program; use a token, a token file or a client");
    expect(api.asked).toEqual([]);
  });

  it("over plain HTTP is not done unless the kubeconfig says so", async () => {
    const api = await startApi();
    const text = kubeconfigText(api.url, undefined, { "insecure-skip-tls-verify": false });
    const outcome = await restart({ kubeconfig: temporaryFile("config", text) });
    expect(outcome.status).toBe("failed");
    expect(outcome.detail).toContain("HTTP protocol is not allowed");
    expect(api.asked).toEqual([]);
  });

  it("over TLS trusts the authority of the kubeconfig, and no other", async () => {
    const [mine, another] = [certificate(), certificate()];
    const api = await startApi(mine);
    const trusting = (cert: string) =>
      temporaryFile(
        "config",
        kubeconfigText(api.url, undefined, {
          "certificate-authority-data": Buffer.from(cert).toString("base64"),
        }),
      );
    const refused = await restart({ kubeconfig: trusting(another.cert) });
    expect(refused.status).toBe("failed");
    expect(refused.detail).toMatch(/not sent: .*certificate/i);
    expect(api.asked).toEqual([]);
    expect((await restart({ kubeconfig: trusting(mine.cert) })).status).toBe("applied");
    expect(api.rollouts).toHaveLength(1);
  });

  it("in a pod uses the service account, read afresh at each call", async () => {
    const tls = certificate();
    const api = await startApi(tls);
    const root = dirname(temporaryFile("x", ""));
    mkdirSync(join(root, SERVICE_ACCOUNT), { recursive: true });
    writeFileSync(join(root, SERVICE_ACCOUNT, "ca.crt"), tls.cert);
    writeFileSync(join(root, SERVICE_ACCOUNT, "token"), "expired");
    const { hostname, port } = new URL(api.url);
    vi.stubEnv("KUBERNETES_SERVICE_HOST", hostname);
    vi.stubEnv("KUBERNETES_SERVICE_PORT", port);
    const { action } = testAction({ serviceAccountRoot: `${root}/` });
    const { signal } = new AbortController();
    expect((await action.execute(INTENT, TRACKER, signal)).status).toBe("refused");
    writeFileSync(join(root, SERVICE_ACCOUNT, "token"), TOKEN);
    expect((await action.execute(INTENT, TRACKER, signal)).status).toBe("applied");
  });

  it("in a pod without a service account sends nothing", async () => {
    const api = await startApi();
    const { hostname, port } = new URL(api.url);
    vi.stubEnv("KUBERNETES_SERVICE_HOST", hostname);
    vi.stubEnv("KUBERNETES_SERVICE_PORT", port);
    const outcome = await restart({ serviceAccountRoot: "/nowhere/" });
    expect(outcome.status).toBe("failed");
    expect(outcome.detail).toContain("not sent: no login: ENOENT");
    expect(api.asked).toEqual([]);
  });
});
