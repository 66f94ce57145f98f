import { mkdirSync, writeFileSync } from "node:fs";
import type { Arrived, Reply } from "../engine/network.ts";
import {
  API_SERVER,
  CALLEE_TOKEN,
  filesOf,
  hostOfCallee,
  kubeconfigText,
  type Strangers,
} from "../strangers.ts";
import { Address, type Surroundings } from "./callee.ts";
import { Cluster } from "./cluster.ts";

/** Everything that playbooks of a world's own call and that is none of its services. */
export interface Outside {
  /** Undefined: there is no such host. */
  at(host: string): { handle(arrived: Arrived): Reply | Promise<Reply> } | undefined;
  /** Whether this was said to be carried out by this instance. */
  claimed(key: string, instance: string): boolean;
}

/** @param folder gets the files that the configuration names. */
export function openOutside(
  { callees }: Strangers,
  around: Omit<Surroundings, "claim"> & { readonly folder: string },
): Outside {
  const files = filesOf(around.folder);
  mkdirSync(around.folder, { recursive: true });
  writeFileSync(files.kubeconfig, kubeconfigText());
  writeFileSync(files.token, `${CALLEE_TOKEN}\n`);
  const claims = new Set<string>();
  const given: Surroundings = {
    ...around,
    claim: (key, instance) => void claims.add(`${key} ${instance}`),
  };
  const workloads = callees.filter(({ kind }) => kind === "rollout-restart").map(({ name }) => name);
  const hosts = new Map<string, { handle(arrived: Arrived): Reply | Promise<Reply> }>([
    [API_SERVER, new Cluster(workloads, given)],
  ]);
  for (const callee of callees)
    if (callee.kind === "http") hosts.set(hostOfCallee(callee.name), new Address(callee, given));
  return {
    at: (host) => hosts.get(host),
    claimed: (key, instance) => claims.has(`${key} ${instance}`),
  };
}
