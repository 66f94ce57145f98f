import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { parseListenAddress } from "../../common/settings/fields.ts";
import { ConfigError } from "./errors.ts";
import { loadConfig } from "./load.ts";

const folder = mkdtempSync(join(tmpdir(), "helius-config-"));
afterAll(() => rmSync(folder, { recursive: true }));
const FILE = join(folder, "helius.yml");

/** Every problem as one line, with the folder left out: `helius.yml:line:col: key message`. */
function problems(
  yaml: string | undefined,
  env: Record<string, string> = {},
  flags: Record<string, string> = {},
) {
  if (yaml !== undefined) writeFileSync(FILE, yaml);
  try {
    loadConfig({ file: yaml === undefined ? undefined : FILE, env, flags, targetless: true });
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as ConfigError).message.replaceAll(`${folder}/`, "").split("\n");
  }
  throw new Error("the configuration was accepted");
}

const BOMB = ["a: &a [x, x, x, x, x, x, x, x, x]"];
for (const [from, to] of ["ab", "bc", "cd", "de"])
  BOMB.push(`${to}: &${to} [${Array(9).fill(`*${from}`).join(", ")}]`);

describe("a file that cannot be used says where and what would be right", () => {
  it.each<[string, string, (string | RegExp)[]]>([
    ["an unknown key", "foo: 1", ["helius.yml:1:1: foo is not a known key"]],
    [
      "an unknown key further in",
      "predict:\n  horizon_secs: 3",
      ["helius.yml:2:3: predict.horizon_secs is not a known key; did you mean horizon_seconds?"],
    ],
    [
      "an unknown signal",
      "signals:\n  cpu: {}",
      [
        /^helius\.yml:2:3: signals\.cpu is not a known key; known here: p95_latency, error_rate, memory, backlog$/,
      ],
    ],
    [
      "an unknown key of a target's signal",
      "targets:\n  - name: a\n    url: http://a\n    signals: { memory: { sloo: 1 } }",
      ["helius.yml:4:26: targets[0].signals.memory.sloo is not a known key; did you mean slo?"],
    ],
    [
      "a key that means something elsewhere",
      "__proto__: {}",
      [/^helius\.yml:1:1: __proto__ is not a known key/],
    ],
    [
      "an admin URL too few",
      "targets:\n  - name: a\n    urls: ['http://a', 'http://b']\n    admin_url: http://a:1",
      ["helius.yml:4:5: targets[0].admin_url must give one URL for each instance, in their order: 2, not 1"],
    ],
    [
      "both kinds of admin URL",
      "targets:\n  - name: a\n    url: http://a\n    admin_url: http://a:1\n    admin_urls: ['http://a:1']",
      ["helius.yml:4:5: targets[0].admin_url must not stand beside admin_urls"],
    ],
    [
      "negative",
      "predict: { cooldown_seconds: -1 }",
      ["helius.yml:1:12: predict.cooldown_seconds must be a number from 0 up to 86400 (seconds)"],
    ],
    [
      "enormous",
      "cycle_interval_seconds: 1e300",
      ["helius.yml:1:1: cycle_interval_seconds must be a whole number from 1 up to 3600 (seconds)"],
    ],
    [
      "NaN",
      "predict: { min_r2: .nan }",
      ["helius.yml:1:12: predict.min_r2 must be a number from 0 up to 1 (a share)"],
    ],
    [
      "infinite",
      "signals: { memory: { limit: .inf } }",
      [/^helius\.yml:1:22: signals\.memory\.limit must be a number above 0 up to \d+ \(bytes\)$/],
    ],
    [
      "a fraction where whole numbers are meant",
      "predict: { window_samples: 7.5 }",
      ["helius.yml:1:12: predict.window_samples must be a whole number from 5 up to 1000 (samples)"],
    ],
    [
      "text where a number is meant",
      "predict:\n  horizon_seconds: 3m",
      ["helius.yml:2:3: predict.horizon_seconds must be a number from 1 up to 86400 (seconds)"],
    ],
    ["text where a switch is meant", "auto_heal: yes", ["helius.yml:1:1: auto_heal must be true or false"]],
    ["a number where a mapping is meant", "predict: 5", ["helius.yml:1:1: predict must be a mapping"]],
    ["a mapping where a list is meant", "targets: {}", ["helius.yml:1:1: targets must be a list"]],
    [
      "a list where a mapping is meant",
      "[1]",
      ["helius.yml:1:1: the file must be a mapping of keys to values"],
    ],
    ["mere text", "helius", ["helius.yml:1:1: the file must be a mapping of keys to values"]],
    ["no targets", "targets: []", ["helius.yml:1:1: targets must list at least one target"]],
    [
      "an empty list of URLs",
      "targets: [{name: a, urls: []}]",
      [/^helius\.yml:1:21: targets\[0\]\.urls must list at least one URL$/],
    ],
    [
      "a target without a URL, or with both kinds",
      "targets:\n  - name: a\n  - {name: b, url: http://b, urls: [http://b]}",
      [
        "helius.yml:2:5: targets[0] must have either url (one instance) or urls (several)",
        "helius.yml:3:5: targets[1] must have either url (one instance) or urls (several)",
      ],
    ],
    [
      "targets of one name",
      "targets:\n  - {name: a, url: http://a}\n  - {name: a, url: http://b}",
      ['helius.yml:3:6: targets[1].name "a" is already the name of target 1; each must be unique'],
    ],
    [
      "targets of one job that no label tells apart",
      "targets:\n  - {name: a, url: http://a, job: j, match: {env: prod}}\n  - {name: b, url: http://b, job: j, match: {env: prod, zone: x}}",
      [/^helius\.yml:3:\d+: targets\[1\]\.job "j" is already the job of target 1/],
    ],
    [
      "a match of no label",
      "targets:\n  - {name: a, url: http://a, match: {job: x}}",
      [/^helius\.yml:2:\d+: targets\[0\]\.match.* other than job, instance, le and quantile$/],
    ],
    [
      "targets of one job",
      "targets:\n  - {name: a, url: http://a, job: b}\n  - {name: b, url: http://b}",
      [
        /^helius\.yml:3:\d+: targets\[1\]\.job "b" is already the job of target 1; each must be unique, or told apart by match, e\.g\. match: \{env: prod\}$/,
      ],
    ],
    [
      "an instance twice",
      "targets:\n  - {name: a, urls: ['http://a', 'http://a/']}",
      ["helius.yml:2:15: targets[0].urls must not list an instance twice"],
    ],
    [
      "a name that would break labels",
      "targets:\n  - {name: 'a b', url: http://a}",
      ["helius.yml:2:6: targets[0].name must be 1 to 64 letters, digits, dots, dashes or underscores"],
    ],
    ...["ftp://a", "a:8000", "http://u:p@a", "http://a?x=1", "http://a#x"].map(
      (url): [string, string, string[]] => [
        `the URL ${url}`,
        `targets:\n  - {name: a, url: '${url}'}`,
        [
          "helius.yml:2:15: targets[0].url must be an http:// or https:// URL without user, query or fragment",
        ],
      ],
    ),
    ["tabs", "predict:\n\thorizon_seconds: 3", [/^helius\.yml:2:\d+: Tabs are not allowed/]],
    ["a key twice", "auto_heal: true\nauto_heal: false", ["helius.yml:2:1: Map keys must be unique"]],
    ["an alias bomb", BOMB.join("\n"), [/^helius\.yml:1:1: Excessive alias count/]],
    ["an alias of nothing", "data_dir: *x", [/^helius\.yml:1:\d+: Unresolved alias/]],
    ["an unknown tag", "data_dir: !!x y", [/^helius\.yml:1:11: Unresolved tag/]],
    ["a list that is not closed", "targets: [1", [/^helius\.yml:\d+:\d+: /]],
    [
      "two documents",
      "{}\n---\n{}",
      ["helius.yml:2:1: the file must hold one YAML document, without a second ---"],
    ],
    [
      "an unknown source",
      "sources: {order: [prom]}",
      ["helius.yml:1:19: sources.order[0] must be prometheus or scrape"],
    ],
    [
      "a source twice",
      "sources: {order: [scrape, scrape]}",
      ["helius.yml:1:11: sources.order must not name a source twice"],
    ],
    [
      "a deadline as long as the cycle",
      "cycle_interval_seconds: 5\nsources: {prometheus: {timeout_seconds: 5}}",
      [/^helius\.yml:2:24: sources\.prometheus\.timeout_seconds must be below the cycle of 5 seconds/],
    ],
    [
      "a rate window too short for two scrapes",
      "cycle_interval_seconds: 30\nsources: {rate_window_seconds: 59}",
      [/^helius\.yml:2:11: sources\.rate_window_seconds must be at least two cycles \(60 s\)/],
    ],
    [
      "an unknown recipe",
      "signals: {memory: {scrape: {kind: max}}}",
      [
        'helius.yml:1:29: signals.memory.scrape.kind must have a kind: "histogram_quantile", "rate_ratio" or "gauge"',
      ],
    ],
    [
      "an exit above the SLO",
      "signals: {p95_latency: {exit: 400}}",
      ["helius.yml:1:25: signals.p95_latency.exit must not put the exit above the SLO: exit 400, slo 300"],
    ],
    [
      "an SLO at the limit",
      "signals: {p95_latency: {slo: 5000}}",
      [
        "helius.yml:1:25: signals.p95_latency.slo must leave the SLO below the hard limit: slo 5000, limit 5000",
      ],
    ],
    [
      "a target's limit below the common SLO",
      "signals: {backlog: {slo: 50}}\ntargets:\n  - name: a\n    url: http://a\n    signals: {backlog: {limit: 20}}",
      [/^helius\.yml:1:21: signals\.backlog\.slo must leave the SLO below the hard limit: slo 50, limit 20$/],
    ],
    [
      "dials that cross",
      "predict: {prob_strong: 0.2}",
      ["helius.yml:1:11: predict.prob_strong must not put prob_confirm_min (0.3) above prob_strong (0.2)"],
    ],
  ])("%s", (_name, yaml, expected) => {
    const found = problems(yaml);
    expect(found).toHaveLength(expected.length);
    for (const [i, want] of expected.entries()) {
      if (typeof want === "string") expect(found[i]).toBe(want);
      else expect(found[i]).toMatch(want);
    }
  });

  it("names every problem, not only the first", () => {
    expect(problems("foo: 1\nauto_heal: 3\npredict: { min_r2: 2 }\ntargets: [{}]")).toHaveLength(4);
  });

  it("is told of by its name when it is missing, or a folder", () => {
    const missing = join(folder, "none.yml");
    const read = (file: string) => () => loadConfig({ file, env: {}, flags: {} });
    expect(read(missing)).toThrow(new ConfigError([{ where: missing, key: "", message: "no such file" }]));
    expect(read(folder)).toThrow(`${folder}: is a folder, not a file`);
  });
});

describe("a value from outside the file names its variable or flag", () => {
  it.each<[Record<string, string>, Record<string, string>, string]>([
    [{ AUTO_HEAL: "maybe" }, {}, "environment AUTO_HEAL: auto_heal must be true or false"],
    [
      { PREDICT_HORIZON_SECONDS: "3m" },
      {},
      "environment PREDICT_HORIZON_SECONDS: predict.horizon_seconds must be a number from 1 up to 86400 (seconds)",
    ],
    [{ PROM_URL: "prometheus" }, {}, "environment PROM_URL: sources.prometheus.url must be an http://"],
    [
      { TARGET_SERVICE_BASE: "app" },
      {},
      "environment TARGET_SERVICE_BASE: targets[0].url must be an http://",
    ],
    [
      { P95_TIMEOUT_MS: "200" },
      {},
      "environment P95_TIMEOUT_MS: signals.p95_latency.limit must leave the SLO below the hard limit: slo 300, limit 200",
    ],
    [
      { SLO_P95_MS: "200", P95_TIMEOUT_MS: "200" },
      {},
      "environment SLO_P95_MS: signals.p95_latency.slo must leave the SLO below the hard limit: slo 200, limit 200",
    ],
    [{ PREDICT_PROB_STRONG: "0.1" }, {}, "environment PREDICT_PROB_STRONG: predict.prob_strong must not put"],
    [
      { PREDICT_PROB_CONFIRM_MIN: "0.9" },
      {},
      "environment PREDICT_PROB_CONFIRM_MIN: predict.prob_confirm_min must not",
    ],
    [
      { PREDICT_METRICS_PORT: "9105" },
      { "web.port": "70000" },
      "--web.port: web.port must be a whole number from 0 up to 65535 (a TCP port)",
    ],
    [{}, { "web.listen_address": "localhost" }, "--web.listen-address: web.listen_address must be host:port"],
    [{}, { "log.level": "loud" }, "--log.level: log.level must be debug, info, warn or error"],
    [{}, { "admin.token": "" }, "--admin.token: admin.token must be the admin token, not empty"],
    [
      {},
      { "sources.scrape.path": "metrics" },
      "--sources.scrape.path: sources.scrape.path must be a path that starts",
    ],
    [{}, { "sources.order": "" }, "--sources.order: sources.order[0] must be prometheus or scrape"],
  ])("%o %o", (env, flags, expected) => {
    const found = problems(undefined, env, flags);
    expect(found).toHaveLength(1);
    expect(found[0]?.startsWith(expected), found[0]).toBe(true);
  });

  it("does not hide a file that has a scalar where the key's mapping belongs", () => {
    expect(problems("predict: 5", { PREDICT_MIN_R2: "0.5" })).toEqual([
      expect.stringMatching(/predict must be a mapping$/),
    ]);
  });

  it("fills a mapping that the file leaves empty", () => {
    writeFileSync(FILE, "predict:\n");
    const config = loadConfig({ file: FILE, env: { PREDICT_MIN_R2: "0.5" }, flags: {}, targetless: true });
    expect(config.predict.minR2).toBe(0.5);
  });
});

describe("parseListenAddress", () => {
  it.each([
    [":9105", { host: "0.0.0.0", port: 9105 }],
    ["127.0.0.1:0", { host: "127.0.0.1", port: 0 }],
    ["[::1]:80", { host: "::1", port: 80 }],
    ["host.example:65535", { host: "host.example", port: 65_535 }],
    ["host:65536", undefined],
    ["host", undefined],
    ["::1:80", undefined],
    ["a b:80", undefined],
    ["host:", undefined],
  ])("%s", (value, expected) => {
    expect(parseListenAddress(value)).toEqual(expected);
  });
});
