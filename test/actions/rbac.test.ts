import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import {
  type Asked,
  type Fault,
  fail,
  INTENT,
  kubeconfigText,
  startApi,
  temporaryFile,
  testAction,
  workload,
} from "../../src/monitor/actions/rollout-restart/cluster.testkit.ts";
import { workloadInstance } from "../../src/monitor/actions/shared/callees.ts";
import { loadConfig } from "../../src/monitor/config/load.ts";
import type { Instance } from "../../src/monitor/kernel/target.ts";

// The example of rights: enough for what the built-in playbooks restart, and for nothing else.

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly verbs: readonly string[];
}
interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly rules?: readonly Rule[];
  readonly roleRef?: { readonly kind: string; readonly name: string };
  readonly subjects?: readonly { readonly kind: string; readonly name: string; readonly namespace: string }[];
}

const file = fileURLToPath(new URL("../../deploy/kubernetes/rbac.yaml", import.meta.url));
const manifests = parseAllDocuments(readFileSync(file, "utf8")).map((document) => {
  expect([...document.errors, ...document.warnings]).toEqual([]);
  return document.toJS() as Manifest;
});
const find = (kind: string): Manifest => {
  const found = manifests.filter((manifest) => manifest.kind === kind);
  if (found.length !== 1 || found[0] === undefined) throw new Error(`${found.length} of kind ${kind}`);
  return found[0];
};

const VERBS: Readonly<Record<string, string>> = {
  GET: "get",
  PATCH: "patch",
  PUT: "update",
  DELETE: "delete",
};

/** Whether the manifest grants a request to the monitor's service account, as the API server's RBAC decides. */
function granted({ method, url }: Asked): boolean {
  const [account, role, binding] = [find("ServiceAccount"), find("Role"), find("RoleBinding")];
  const bound =
    binding.metadata.namespace === role.metadata.namespace &&
    binding.roleRef?.kind === "Role" &&
    binding.roleRef.name === role.metadata.name &&
    binding.subjects?.some(
      ({ kind, name, namespace }) =>
        kind === account.kind && name === account.metadata.name && namespace === account.metadata.namespace,
    ) === true;
  const match = /^\/apis\/([^/]+)\/v1\/namespaces\/([^/]+)\/([^/]+)\/([^/?]+)(\?|$)/.exec(url);
  if (match === null || !bound) return false;
  const [, group = "", namespace, resource = "", name = ""] = match;
  if (namespace !== role.metadata.namespace) return false;
  return (role.rules ?? []).some(
    (rule) =>
      rule.apiGroups.includes(group) &&
      rule.resources.includes(resource) &&
      (rule.resourceNames?.includes(name) ?? true) &&
      rule.verbs.includes(VERBS[method] ?? ""),
  );
}

const guarded: Fault = (asked, response) => {
  if (granted(asked)) return false;
  fail(response, 403, `cannot ${VERBS[asked.method]} ${asked.url}`);
  return true;
};

/** Workloads that the built-in playbooks restart. */
function builtIn(): Instance[] {
  const flags = { "actions.kubernetes.kubeconfig": "/etc/helius/kubeconfig" };
  const { playbooks } = loadConfig({ file: undefined, env: {}, flags });
  const steps = playbooks.flatMap((playbook) => playbook.steps);
  return steps.filter((step) => step.kind === "rollout-restart").flatMap((step) => step.on.instances);
}

it("grants nothing by wildcard, and no verb beside get and patch", () => {
  expect(manifests.map((manifest) => manifest.kind)).toEqual(["ServiceAccount", "Role", "RoleBinding"]);
  for (const rule of find("Role").rules ?? []) {
    expect(rule.resourceNames?.length).toBeGreaterThan(0);
    expect([...rule.verbs].sort()).toEqual(["get", "patch"]);
    expect(JSON.stringify(rule)).not.toContain("*");
  }
});

it("names the workloads that the built-in playbooks restart", () => {
  const names = builtIn().map(({ name }) => name);
  expect(names.length).toBeGreaterThan(0);
  const { namespace } = find("Role").metadata;
  const granted = (find("Role").rules ?? []).flatMap((rule) => rule.resourceNames ?? []);
  expect(granted.map((name) => `${namespace}/deployment/${name}`).sort()).toEqual([...names].sort());
});

it("is enough to restart them, and not to touch another", async () => {
  const api = await startApi();
  const { action } = testAction({ kubeconfig: temporaryFile("config", kubeconfigText(api.url)) });
  const { signal } = new AbortController();
  const strangers = ["helius/deployment/product-api", "helius/statefulset/mlflow-tracker"];
  for (const name of [...builtIn().map((instance) => instance.name), ...strangers]) {
    const [, type = "", object = ""] = name.split("/");
    api.objects.set(`/apis/apps/v1/namespaces/helius/${type}s/${object}`, workload("Deployment", object));
    api.faults.splice(0, Infinity, guarded, guarded);
    const instance = workloadInstance(name) as Instance;
    const outcome = await action.execute({ ...INTENT, id: name }, instance, signal);
    expect(outcome.status, name).toBe(strangers.includes(name) ? "refused" : "applied");
    if (strangers.includes(name)) expect(outcome.httpStatus).toBe(403);
  }
  expect(api.rollouts).toHaveLength(2);
});
