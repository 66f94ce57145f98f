import { type Acted, guarded, type Method, type Rule, type SeriesSpec } from "./decider.ts";

/**
 * The first local linear trend, kept as a yardstick for its successor: one filter, constants of the first study.
 * Memory: least squares over half an hour plus the 90th percentile of the residuals.
 */
function filterRule(
  spec: SeriesSpec,
  o: { qs: number; clip: number; releaseS: number; p: number; margin: number; level: boolean },
): Rule {
  const probit = o.p >= 0.97 ? 1.881 : 0.842;
  let v = 0.01;
  let lags: { t: number; u: number }[] = [];
  let l = Number.NaN,
    b = 0,
    pll = 0,
    plb = 0,
    pbb = 0,
    t0 = 0,
    n = 0;
  let side = 0,
    sideSince = 0,
    overSince = Number.NaN;
  return {
    push(s): Acted | undefined {
      if (!Number.isFinite(s.value) || s.value < 0) return undefined;
      const u = s.value / spec.slo;
      if (Number.isNaN(l)) {
        l = u;
        b = 0;
        pll = 0.25;
        plb = 0;
        pbb = 2.5e-7;
        t0 = s.timeS;
        n = 1;
        return undefined;
      }
      const d = s.timeS - t0;
      t0 = s.timeS;
      n++;
      lags.push({ t: s.timeS, u });
      while (lags.length > 0 && s.timeS - lags[0]!.t > 135) lags.shift();
      const old = lags[0];
      if (old !== undefined && s.timeS - old.t >= 105) {
        v += (1 - 0.5 ** (d / 3600)) * (Math.min(0.5 * (u - old.u) ** 2, 9 * v) - v);
      }
      const sigma = Math.max(Math.sqrt(v), 0.01);
      const r = sigma * sigma * Math.max(1, spec.rateWindowS / spec.cycleS);
      l += b * d;
      const q = (o.qs * o.qs * d) / 600;
      pll += 2 * d * plb + d * d * pbb + (q * d * d) / 3;
      plb += d * pbb + (q * d) / 2;
      pbb += q;
      let e = u - l;
      const cap = o.clip * Math.sqrt(pll + sigma * sigma);
      const now = e > cap ? 1 : e < -cap ? -1 : 0;
      if (now !== side) sideSince = s.timeS;
      side = now;
      if (side !== 0) {
        if (s.timeS - sideSince >= o.releaseS) pll += e * e;
        else e = side * cap;
      }
      const f = pll + r;
      const kl = pll / f,
        kb = plb / f;
      l += kl * e;
      b += kb * e;
      pbb -= kb * plb;
      plb -= kl * plb;
      pll -= kl * pll;
      if (u > 1 + 2 * sigma) {
        if (Number.isNaN(overSince)) overSince = s.timeS;
      } else overSince = Number.NaN;
      if (o.level && s.timeS - overSince >= 88) return { trigger: "level", reason: "over" };
      if (n < 9) return undefined;
      const h = spec.horizonS;
      const z = (l + b * h - o.margin) / Math.sqrt(pll + 2 * h * plb + h * h * pbb);
      return z >= probit ? { trigger: "trend", reason: `z ${z.toFixed(1)}` } : undefined;
    },
    forget() {
      l = Number.NaN;
      n = 0;
      overSince = Number.NaN;
      side = 0;
      lags = [];
    },
    forecast: () => (l + b * spec.horizonS) * spec.slo,
  };
}

function memoryRule(spec: SeriesSpec): Rule {
  let ts: number[] = [],
    us: number[] = [];
  return {
    push(s) {
      if (!Number.isFinite(s.value)) return undefined;
      ts.push(s.timeS);
      us.push(s.value / spec.slo);
      while (s.timeS - ts[0]! > 1800) {
        ts.shift();
        us.shift();
      }
      if (s.timeS - ts[0]! < 1200) return undefined;
      const n = ts.length;
      let st = 0,
        su = 0,
        stt = 0,
        stu = 0;
      for (let i = 0; i < n; i++) {
        const t = ts[i]! - s.timeS;
        st += t;
        su += us[i]!;
        stt += t * t;
        stu += t * us[i]!;
      }
      const slope = (n * stu - st * su) / (n * stt - st * st);
      const level = (su - slope * st) / n;
      if (slope <= 0) return undefined;
      const res = us.map((u, i) => u - level - slope * (ts[i]! - s.timeS)).sort((a, b) => a - b);
      const top = level + slope * spec.horizonS + res[Math.floor(0.9 * n)]!;
      return top > 1 ? { trigger: "envelope", reason: "" } : undefined;
    },
    forget() {
      ts = [];
      us = [];
    },
  };
}

/** The first study's method as a row of the table. */
export const ROUND1: Method = {
  name: "trend_round1",
  title: "local linear trend, first study",
  create: (s) =>
    guarded(
      s.kind === "memory"
        ? memoryRule(s)
        : s.kind === "backlog"
          ? filterRule(s, { qs: 3e-4, clip: 3, releaseS: 60, p: 0.8, margin: 1, level: false })
          : filterRule(s, { qs: 1e-3, clip: 1.5, releaseS: 180, p: 0.97, margin: 0.85, level: true }),
    ),
};
