import { type Arrived, answer, type Reply, type Servers } from "../engine/network.ts";
import type { PrometheusHttp } from "./prometheus-http.ts";
import { ELSEWHERE } from "./service.ts";
import type { World } from "./world.ts";

/** What one monitor can reach: Prometheus, Alertmanager, the services, what is outside, and somebody who must get nothing. */
export function serversOf({ world, prometheus }: { world: World; prometheus: PrometheusHttp }): Servers {
  return {
    listens(host) {
      if (host === "prometheus:9090") return world.faults.meet("prom_refused") === undefined;
      if (world.outside?.at(host) !== undefined) return world.faults.meet("callee_refused") === undefined;
      return world.services.get(host)?.listens() ?? true;
    },
    handle(arrived) {
      const { host } = arrived;
      if (host === "prometheus:9090") return prometheus.handle(arrived);
      if (host === "alertmanager:9093") return pager(arrived, world);
      const service = world.services.get(host);
      if (service !== undefined) return service.handle(arrived);
      const callee = world.outside?.at(host);
      if (callee !== undefined) return callee.handle(arrived);
      if (host === ELSEWHERE) world.violate(3, `a call was made to ${host}, which no configuration names`);
      return { kind: "reset", afterMs: 1 };
    },
  };
}

/** Alertmanager's side of an escalation: it keeps what it was last told of each target. */
function pager(arrived: Arrived, world: World): Reply {
  if (world.faults.meet("pager_down") !== undefined) return { kind: "reset", afterMs: 100 };
  const alerts = JSON.parse(arrived.body) as { labels: Record<string, string>; endsAt: string }[];
  for (const { labels, endsAt } of alerts) {
    const target = labels.target ?? "";
    world.pages.set(target, { atMs: world.time.now, endsWallMs: Date.parse(endsAt) });
    world.counts.escalations += 1;
  }
  world.mixText(`paged ${alerts.length}`);
  return answer(200, "{}", { afterMs: 20 });
}
