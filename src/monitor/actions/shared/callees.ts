import type { Instance } from "../../kernel/target.ts";

/** A Deployment, StatefulSet or DaemonSet. */
export interface Workload {
  readonly namespace: string;
  readonly type: "deployment" | "statefulset" | "daemonset";
  readonly name: string;
}

const WORKLOAD =
  /^([a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?)\/(deployment|statefulset|daemonset)\/([a-z0-9.-]{1,253})$/;
const OBJECT_NAME = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/;
const WORKLOAD_SCHEME = "kubernetes://";
const CALL_SCHEME = "call://";

/** The workload that `NAMESPACE/deployment/NAME` (or `statefulset`, `daemonset`) names, as an intent is carried out on it. */
export function workloadInstance(text: string): Instance | undefined {
  const url = `${WORKLOAD_SCHEME}${text}`;
  return workloadOf({ name: text, url }) === undefined ? undefined : { name: text, url };
}

/** The workload that an instance stands for; undefined: it is none. */
export function workloadOf({ url }: Instance): Workload | undefined {
  const match = url.startsWith(WORKLOAD_SCHEME) ? WORKLOAD.exec(url.slice(WORKLOAD_SCHEME.length)) : null;
  const [, namespace = "", type, name = ""] = match ?? [];
  if (match === null || !OBJECT_NAME.test(name)) return undefined;
  return { namespace, type: type as Workload["type"], name };
}

/** The entry of `actions.http` with this name, as an intent is carried out on it. */
export function callInstance(name: string): Instance {
  return { name, url: `${CALL_SCHEME}${name}` };
}

/** The name of the entry of `actions.http` that an instance stands for; undefined: it is none. */
export function callOf({ url }: Instance): string | undefined {
  return url.startsWith(CALL_SCHEME) ? url.slice(CALL_SCHEME.length) : undefined;
}
