import { setTimeout as sleep } from "node:timers/promises";
import { waitFor } from "../../../../test/setup/ports.ts";
import { PROXY_FAULTS, type ProxyFault, startFaultProxy } from "../fault-proxy.ts";
import { type Lane, onStage } from "../lane.ts";
import type { Scenario } from "../types.ts";

/** What was seen before the fault may still be acted on, milliseconds. */
const UNDER_WAY_MS = 2500;
const FAULTY_MS = 4000;
const BRIEF: readonly ProxyFault[] = ["lose_answer", "garble", "redirect"];

/** Prometheus answers, in every broken way, for a while each: held meanwhile, alive, and acting again afterwards. */
export const prometheusFaults: Scenario = (options) =>
  onStage(options, async (stage) => {
    const service = await stage.service();
    const prometheus = await stage.prometheus([{ name: "blind", service }]);
    const proxy = await startFaultProxy(prometheus.url, stage.world.onEnd);
    const sources = { order: ["prometheus"], prometheus: { url: proxy.url, timeout_seconds: 0.7 } };
    const lane = stage.lane({ name: "blind", service, sources });
    await lane.start();
    const violations: string[] = [];
    const faults = options.brief === true ? BRIEF : PROXY_FAULTS;
    for (const fault of faults) {
      await lane.moreEffects(1);
      proxy.set(fault);
      await sleep(UNDER_WAY_MS);
      const [effects, cycles] = [lane.effects().length, lane.cycles().length];
      await sleep(FAULTY_MS);
      const acted = lane.effects().length - effects;
      if (acted > 0) violations.push(`${fault}: ${acted} effects on data that could not be read`);
      if (lane.cycles().length === cycles) violations.push(`${fault}: no cycle ended in ${FAULTY_MS} ms`);
      if (proxy.met() === 0) violations.push(`${fault}: no request met it`);
      proxy.set("pass");
      options.onProgress(`Prometheus: ${fault}`);
    }
    await lane.moreEffects(2);
    if (proxy.followed() > 0) violations.push(`${proxy.followed()} redirects were followed`);
    return stage.conclude("faults before Prometheus", { times: faults.length, violations });
  });

/**
 * Calls of targets break, in every way: an answer that was lost is asked for by its key, never guessed or repeated. A
 * redirect comes last: it is a refusal, after which the monitor asks for a person and leaves the target alone.
 */
export const targetFaults: Scenario = (options) =>
  onStage(options, async (stage) => {
    const service = await stage.service();
    const proxy = await startFaultProxy(service.url, stage.world.onEnd);
    const lane = stage.lane({ name: "cut", service, adminUrl: proxy.url, sources: { order: ["scrape"] } });
    await lane.start();
    const violations: string[] = [];
    const faults = options.brief === true ? BRIEF : PROXY_FAULTS;
    for (const fault of [...faults.filter((f) => f !== "redirect"), "redirect"] as const) {
      await lane.moreEffects(1);
      proxy.set(fault);
      if (fault !== "redirect") await sleep(UNDER_WAY_MS + FAULTY_MS);
      else if (!(await escalated(lane))) violations.push("a redirect did not call for a person");
      if (proxy.met() === 0) violations.push(`${fault}: no call met it`);
      proxy.set("pass");
      options.onProgress(`targets: ${fault}`);
    }
    if (proxy.followed() > 0) violations.push(`${proxy.followed()} redirects were followed, with the token`);
    return stage.conclude("faults before targets", { times: faults.length, violations });
  });

/** Whether, in a while, a target waits for a person. */
async function escalated(lane: Lane): Promise<boolean> {
  const waits = () => {
    const signals = (lane.cycles().at(-1)?.signals ?? []) as { decision: string }[];
    return signals.some(({ decision }) => decision === "escalated");
  };
  const options = { what: "an escalation", timeoutMs: 60_000, everyMs: 200 };
  return waitFor(waits, options).catch(() => false);
}
