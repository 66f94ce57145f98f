import { describe, expect, it } from "vitest";
import { signalPlugins } from "../../signals/index.ts";
import { templateOf } from "./template.ts";

const JOB = 'job=~"$jobs"';
const young = (selector: string) => `(${selector} and timestamp(${selector}) >= time() - $age)`;

describe("what is asked for a query", () => {
  it("takes of an instant selector only series that are young enough", () => {
    const { values, reads } = templateOf(`max by ($by) (m{${JOB}}) - n{${JOB}}`, "memory");
    expect(values).toBe(`max by ($by) (${young(`m{${JOB}}`)}) - ${young(`n{${JOB}}`)}`);
    expect(reads.map(({ metric, ranged }) => [metric, ranged])).toEqual([
      ["m", false],
      ["n", false],
    ]);
  });

  it.each([
    `max_over_time(m{${JOB}}[5m:30s])`,
    `m{${JOB}} offset 5m`,
    `m{${JOB}} @ 100`,
    `timestamp(m{${JOB}})`,
    `absent(m{${JOB}})`,
    `rate(m{${JOB}}[$window])`,
    `{__name__=~"m|n", ${JOB}}`,
  ])("leaves alone what is read at another time, or about its times: %s", (promql) => {
    expect(templateOf(promql, "memory").values).toBe(promql);
  });

  it("leaves alone what is not the target's, and what does not parse", () => {
    expect(templateOf('m{job="x"}', "memory")).toMatchObject({ values: 'm{job="x"}', reads: [] });
    expect(templateOf("sum(", "memory")).toMatchObject({ values: "sum(", reads: [] });
  });

  it("takes a ratio whose numerator was never counted for 0", () => {
    const [num, den] = [`sum by ($by) (rate(e{${JOB}}[$window]))`, `sum by ($by) (rate(r{${JOB}}[$window]))`];
    const { values, reads } = templateOf(`${num} / ${den}`, "ratio");
    expect(values).toBe(`((${num}) or 0 * (${den})) / (${den})`);
    expect(reads.map(({ metric, mayBeAbsent }) => [metric, mayBeAbsent])).toEqual([
      ["e", true],
      ["r", false],
    ]);
    expect(templateOf(`(${num} / ${den})`, "ratio").values).toBe(`(((${num}) or 0 * (${den})) / (${den}))`);
    expect(templateOf(`${num} / ${den}`, "latency").values).toBe(`${num} / ${den}`);
  });

  it("asks for the age of one bucket of a histogram, and for its bounds", () => {
    const [p95] = signalPlugins;
    const { reads, buckets } = templateOf(p95?.promql ?? "", "latency");
    const bucket = `http_request_duration_seconds_bucket{${JOB}`;
    expect(reads).toMatchObject([{ selector: `${bucket}}`, one: `${bucket}, le="+Inf"}`, ranged: true }]);
    expect(buckets).toEqual({
      query: `group by ($id, le) (${bucket}})`,
      factor: 1000,
      metric: "http_request_duration_seconds",
    });
  });

  it("looks at the scrapes of those instances that the query selects", () => {
    const { scraped, starts } = templateOf(
      `a{${JOB}, env="pr.d", zone=~"x|y", le="1", code!="5"} / b{code!="5", env="pr.d", ${JOB}, zone=~"x|y"}`,
      "ratio",
    );
    const matchers = `${JOB}, env=~"pr\\\\.d|", zone=~"x|y|", code!="5"`;
    expect(scraped).toBe(
      `bottomk by ($id) (1, timestamp(up{${matchers}}) * (2 * up{${matchers}} - 1) or push_time_seconds{${matchers}})`,
    );
    expect(starts).toContain(`process_start_time_seconds{${matchers}}[10m]`);
    expect(templateOf(`a{${JOB}, env="x"} / b{${JOB}}`, "ratio").scraped).toContain(`up{${JOB}})`);
  });
});
