import { describe, expect, test } from "vitest";
import { waitFor } from "../setup/ports.ts";
import { type MitigateFate, startProxy } from "./kit/proxy.ts";
import { settled } from "./kit/scenarios.ts";
import { createWorld, quickConfig } from "./kit/world.ts";

const RAMP = "mode=latency&inc=5000&over=100";

describe.concurrent("the monitor killed between intent and outcome", () => {
  const cases: { title: string; fate: MitigateFate; effectsAtKill: number }[] = [
    { title: "the call had reached the service", fate: "lose", effectsAtKill: 1 },
    { title: "the call had not reached the service", fate: "swallow", effectsAtKill: 0 },
  ];
  test.for(cases)(
    "$title: after the restart it is settled, with one effect in all",
    async (given, { onTestFinished }) => {
      const world = createWorld();
      onTestFinished(() => world.end());
      const service = await world.service();
      world.load(service.url, 30);
      const proxy = await startProxy(service.url, given.fate);
      world.onEnd(() => proxy.close());
      const options = { config: quickConfig({ targets: [{ name: "product-api", url: proxy.url }] }) };
      const first = await world.monitor(options);
      await settled(first);
      await service.inject(RAMP);
      await waitFor(() => proxy.mitigateCalls() > 0, { what: "the call of the monitor", timeoutMs: 40_000 });
      await waitFor(() => service.autoMitigations().length === given.effectsAtKill, { what: "the effect" });
      await first.process.end("SIGKILL");
      expect(first.process.all("mitigation executed")).toEqual([]);
      proxy.setFate("pass");

      const second = await world.monitor(options);
      const line = await second.process.line("mitigation reconciled");
      expect(line).toMatchObject({ target: "product-api", metric: "p95_latency", outcome: "applied" });
      expect((await second.metrics()).value("predict_mitigations_total", { outcome: "applied" })).toBe(1);
      await waitFor(() => service.autoMitigations().length > 0, { what: "the effect at the service" });
      await second.moreCycles(5);
      // One effect, under the key of the intent that the first run had written down.
      expect(service.autoMitigations()).toMatchObject([{ idempotency_key: line.intent }]);
      expect(await service.faults()).toEqual({});
      expect(second.process.all("mitigation reconciled")).toHaveLength(1);
      expect(second.process.all("mitigation executed")).toEqual([]);

      // Settled for good: a third run finds nothing left to do.
      expect((await second.process.end("SIGTERM", 8000)).code).toBe(0);
      const third = await world.monitor(options);
      await third.moreCycles(3);
      expect(third.process.all("mitigation reconciled")).toEqual([]);
      expect(service.autoMitigations()).toHaveLength(1);
    },
  );
});
