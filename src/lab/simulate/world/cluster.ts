import { EPOCH, INTENTS, RESTARTED_AT } from "../../../monitor/actions/rollout-restart/workload.ts";
import { type Arrived, answer, type Reply } from "../engine/network.ts";
import { API_TOKEN } from "../strangers.ts";
import { instead, type Surroundings } from "./callee.ts";

/** Workloads that built-in playbooks restart. */
const BUILT_IN = ["helius/deployment/mlflow-tracker", "helius/deployment/grafana-core"];

type Annotations = Readonly<Record<string, string>>;

interface Workload {
  readonly name: string;
  version: number;
  generation: number;
  annotations: Annotations;
  template: Annotations;
}

/** The part of a patch that the monitor sends. */
interface Patch {
  readonly metadata: { readonly resourceVersion?: string; readonly annotations?: Annotations };
  readonly spec: { readonly template: { readonly metadata: { readonly annotations: Annotations } } };
}

/** The API server, as far as workloads are read and restarted, and the controller that restarts their pods. */
export class Cluster {
  readonly #around: Surroundings;
  readonly #workloads = new Map<string, Workload>();

  constructor(names: readonly string[], around: Surroundings) {
    this.#around = around;
    for (const name of [...names, ...BUILT_IN]) {
      const [namespace, type, own] = name.split("/");
      const path = `/apis/apps/v1/namespaces/${namespace}/${type}s/${own}`;
      const fresh = { version: 1, generation: 1, annotations: {}, template: {} };
      this.#workloads.set(path, { name, ...fresh });
    }
  }

  handle({ method, path, headers, body }: Arrived): Reply {
    const { faults, leak } = this.#around;
    if (headers["x-admin-token"] !== undefined) leak("the admin token was sent to the API server");
    if (headers.authorization !== `Bearer ${API_TOKEN}`) return status(401, "Unauthorized");
    const workload = this.#workloads.get(path.split("?")[0] ?? "");
    if (workload === undefined) return status(404, "not found");
    // What it is asked about after a lost answer is told.
    if (method === "GET") return show(workload);
    const other = instead(faults);
    if (other !== undefined) return other;
    if (faults.meet("workload_forbidden") !== undefined) return status(403, "forbidden");
    if (faults.meet("workload_conflict") !== undefined) workload.version += 1;
    return this.#patch(workload, JSON.parse(body) as Patch);
  }

  #patch(workload: Workload, { metadata, spec }: Patch): Reply {
    const { faults, effect, claim } = this.#around;
    const { name } = workload;
    if (metadata.resourceVersion !== String(workload.version)) return status(409, "it has been modified");
    const before = workload.annotations[EPOCH];
    const restartedBefore = workload.template[RESTARTED_AT];
    workload.version += 1;
    workload.annotations = { ...workload.annotations, ...metadata.annotations };
    workload.template = { ...workload.template, ...spec.template.metadata.annotations };
    const key = (JSON.parse(workload.annotations[INTENTS] ?? "[]") as string[]).at(-1) ?? "";
    const epoch = Number(workload.annotations[EPOCH]);
    claim(key, name);
    if (workload.template[RESTARTED_AT] !== restartedBefore) {
      workload.generation += 1;
      // A controller that stands still restarts nothing.
      if (faults.meet("callee_idle") === undefined)
        effect({
          ...{ target: -1, on: name, instance: name, key, kind: "rollout-restart", parameters: {}, epoch },
          highest: before === undefined ? undefined : Number(before),
        });
    }
    return faults.meet("callee_answer_lost") === undefined ? show(workload) : { kind: "silence" };
  }
}

function show({ name, version, generation, annotations, template }: Workload): Reply {
  const object = {
    metadata: { name: name.split("/")[2], resourceVersion: String(version), generation, annotations },
    spec: { template: { metadata: { annotations: template } } },
  };
  return answer(200, JSON.stringify(object), { afterMs: 10 });
}

function status(code: number, message: string): Reply {
  return answer(code, JSON.stringify({ kind: "Status", code, message }), { afterMs: 5 });
}
