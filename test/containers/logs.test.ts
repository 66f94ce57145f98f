import { matchesGlob } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { type Block, parseAlloy, Reference } from "./alloy.ts";
import { addresses, mounted, readCompose, readRepository } from "./compose.ts";

// From the file that a program writes to the store that Grafana asks. Neither Alloy nor Loki is there to check its own
// configuration: what it refers to, and what has to agree with the rest, is checked here.

const compose = readCompose();
const alloy = parseAlloy(readRepository("loki/config.alloy"));
const loki = parse(readRepository("loki/loki.yml")) as Loki;

interface Loki {
  readonly auth_enabled: boolean;
  readonly server: { readonly http_listen_port: number };
  readonly common: { readonly path_prefix: string };
  readonly schema_config: { readonly configs: readonly { store: string; schema: string; from: string }[] };
  readonly limits_config: {
    readonly retention_period: string;
    readonly max_label_names_per_series: number;
    readonly discover_service_name: readonly string[];
  };
  readonly compactor: { working_directory: string; retention_enabled: boolean; delete_request_store: string };
  readonly ruler: {
    readonly alertmanager_url: string;
    readonly storage: { readonly type: string; readonly local: { readonly directory: string } };
  };
}

function component(name: string): Block {
  const found = alloy.filter((b) => b.name === name);
  if (found.length !== 1) throw new Error(`${found.length} of ${name}`);
  return found[0] as Block;
}

function stageOf(name: string): Block {
  const found = component("loki.process").blocks.find((b) => b.name === `stage.${name}`);
  if (found === undefined) throw new Error(`no stage ${name}`);
  return found;
}

/** Every reference in a block, at any depth. */
function references(block: Block): string[] {
  const inside = (value: unknown): string[] => {
    if (value instanceof Reference) return [value.path];
    if (typeof value === "object" && value !== null) return Object.values(value).flatMap(inside);
    return [];
  };
  return [...[...block.attributes.values()].flatMap(inside), ...block.blocks.flatMap(references)];
}

test("Alloy: from the files through one pipeline to Loki, and every reference is to a component that is there", () => {
  expect(alloy.map((b) => b.name)).toEqual([
    "local.file_match",
    "loki.source.file",
    "loki.process",
    "loki.write",
  ]);
  const exported = new Set(
    alloy.flatMap((b) => [`${b.name}.${b.label}.targets`, `${b.name}.${b.label}.receiver`]),
  );
  const named = alloy.flatMap(references);
  expect(named.length).toBe(3);
  for (const reference of named) expect([...exported]).toContain(reference);
  const ids = alloy.map((b) => `${b.name}.${b.label}`);
  expect(new Set(ids).size).toBe(ids.length);
});

test("Alloy reads every log file that compose has written, no file put aside, and cannot write there", () => {
  const [target] = component("local.file_match").attributes.get("path_targets") as Record<string, string>[];
  const pattern = target?.__path__ ?? "";
  const files = Object.values(compose.services).flatMap((s) => s.environment?.LOG_FILE ?? []);
  expect(files.length).toBe(7);
  for (const file of files) {
    expect(matchesGlob(file, pattern), file).toBe(true);
    expect(matchesGlob(`${file}.1`, pattern), `${file}.1`).toBe(false);
  }
  const shipper = compose.services.alloy;
  expect(shipper?.volumes).toContain("logs:/logs:ro");
  // Log files are written 0640 by user and group 1000.
  expect(shipper?.user?.split(":")[1]).toBe("1000");
  expect(mounted(shipper, "/etc/alloy/config.alloy")).toBe("./loki/config.alloy");
  expect(shipper?.command?.at(-1)).toBe("/etc/alloy/config.alloy");
  const storage = shipper?.command?.find((word) => word.startsWith("--storage.path="))?.split("=")[1] ?? "";
  expect(mounted(shipper, storage)).toBe("alloy-data");
});

test("the labels are job and level and nothing else, taken from the line; its time is the line's", () => {
  const [target] = component("local.file_match").attributes.get("path_targets") as Record<string, string>[];
  expect(Object.keys(target ?? {}).filter((label) => !label.startsWith("__"))).toEqual(["job"]);
  expect(stageOf("json").attributes.get("expressions")).toEqual({ job: "job", level: "level", ts: "ts" });
  expect(stageOf("labels").attributes.get("values")).toEqual({ job: "job", level: "level" });
  // The one label that the source adds by itself.
  expect(stageOf("label_drop").attributes.get("values")).toEqual(["filename"]);
  expect(Object.fromEntries(stageOf("timestamp").attributes)).toEqual({
    source: "ts",
    format: "RFC3339Nano",
  });
  const stages = component("loki.process").blocks.map((b) => b.name);
  expect(stages.indexOf("stage.json")).toBe(0);
  expect(loki.limits_config.max_label_names_per_series).toBeGreaterThanOrEqual(2);
  expect(loki.limits_config.discover_service_name).toEqual([]);
});

test("Alloy pushes to Loki, Loki tells Alertmanager, Grafana asks Loki: each under a name and port that it reaches", () => {
  const url = new URL(String(component("loki.write").blocks[0]?.attributes.get("url")));
  expect([...addresses(compose, "alloy")]).toContain(url.host);
  expect(url.pathname).toBe("/loki/api/v1/push");
  expect(Number(url.port)).toBe(loki.server.http_listen_port);
  expect([...addresses(compose, "loki")]).toContain(new URL(loki.ruler.alertmanager_url).host);
  const { datasources } = parse(readRepository("grafana/provisioning/datasources/helius.yml")) as {
    datasources: { url: string }[];
  };
  for (const source of datasources)
    expect([...addresses(compose, "grafana")]).toContain(new URL(source.url).host);
});

test("Loki keeps logs for a bounded time, on its volume, and evaluates the shipped rules", () => {
  const store = compose.services.loki;
  expect(loki.compactor.retention_enabled).toBe(true);
  expect(loki.compactor.delete_request_store).toBe("filesystem");
  expect(loki.limits_config.retention_period).toMatch(/^\d+h$/);
  // Deletion works on whole days of the index.
  expect(Number.parseInt(loki.limits_config.retention_period, 10)).toBeGreaterThanOrEqual(24);
  expect(loki.schema_config.configs.at(-1)).toMatchObject({ store: "tsdb", schema: "v13" });
  for (const path of [loki.common.path_prefix, loki.compactor.working_directory])
    expect(mounted(store, path)).toMatch(/^loki-data/);
  expect(loki.auth_enabled).toBe(false);
  expect(loki.ruler.storage.type).toBe("local");
  // Without tenants there is one, named fake.
  const rules = mounted(store, `${loki.ruler.storage.local.directory}/fake/logs.yml`);
  expect(rules).toBe("./loki/rules/fake/logs.yml");
  expect(readRepository(rules ?? "")).toContain("groups:");
  expect(store?.command).toEqual(["-config.file=/etc/loki/loki.yml"]);
  expect(mounted(store, "/etc/loki/loki.yml")).toBe("./loki/loki.yml");
});

test("the reader of Alloy's syntax can say no", () => {
  expect(() => parseAlloy('loki.write "x" {')).toThrow("expected word");
  expect(() => parseAlloy('loki.write "x" { a = [b c] }')).toThrow(/line 1: expected/);
  expect(() => parseAlloy("a = 1")).toThrow("cannot be read: 1");
  expect(() => parseAlloy('x {\n a = "1"\n a = "2"\n}')).toThrow("line 3: a is set twice");
  expect(() => parseAlloy('a = "1"')).toThrow("outside any block");
  expect(references(parseAlloy("x { y { a = [b.c, { d = e.f }] } }")[0] as Block)).toEqual(["b.c", "e.f"]);
});
