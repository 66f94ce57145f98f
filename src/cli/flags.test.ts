import { describe, expect, it } from "vitest";
import { bindings } from "../monitor/config/bindings.ts";
import { UsageError } from "./command.ts";
import { configFlags, configValues, describeFlags, type Flag, readFlags } from "./flags.ts";

const FLAGS: Flag[] = [
  { name: "web.port", kind: "number", shownDefault: "9105", help: "the port", env: "PORT" },
  { name: "auto-heal", kind: "boolean", shownDefault: "1", help: "act" },
  { name: "config.file", kind: "string", shownDefault: "", help: "a file" },
];

describe("readFlags", () => {
  it.each<[string[], Record<string, string>]>([
    [[], {}],
    [["--web.port", "1"], { "web.port": "1" }],
    [["--web.port=1", "--config.file=a b"], { "web.port": "1", "config.file": "a b" }],
    [["--config.file="], { "config.file": "" }],
    [["--config.file=a=b"], { "config.file": "a=b" }],
    [["--auto-heal"], { "auto-heal": "true" }],
    [["--auto-heal=false"], { "auto-heal": "false" }],
    [["--web.port=-1"], { "web.port": "-1" }],
  ])("%j", (args, values) => {
    expect(readFlags(args, FLAGS).values).toEqual(values);
  });

  it.each<[string[], string | RegExp]>([
    [["--web.prot=1"], "unknown flag --web.prot; see --help"],
    [["-x"], "unknown flag -x; see --help"],
    [["--no-auto-heal"], /unknown flag --no-auto-heal/],
    [["--web.port"], /--web\.port.*argument missing/],
    [["--web.port=1", "--web.port", "2"], "--web.port is given 2 times; give it once"],
    [["--auto-heal", "false"], 'unexpected argument "false"'],
    [["stray"], 'unexpected argument "stray"'],
  ])("%j is refused", (args, message) => {
    expect(() => readFlags(args, FLAGS)).toThrow(UsageError);
    expect(() => readFlags(args, FLAGS)).toThrow(message);
  });

  it("gives as many arguments as a command takes, and no more", () => {
    expect(readFlags(["a", "--web.port=1"], FLAGS, 1).positionals).toEqual(["a"]);
    expect(() => readFlags(["a", "b"], FLAGS, 1)).toThrow('unexpected argument "b"');
  });
});

describe("the flags of the configuration", () => {
  it("are one for each key, spelled as Prometheus does, and come back under their key", () => {
    expect(configFlags).toHaveLength(bindings.length);
    for (const b of bindings) {
      const flag = configFlags.find((f) => f.help === b.help && f.name === b.path.replaceAll("_", "-"));
      expect(flag, b.path).toBeDefined();
      const { values } = readFlags([`--${flag?.name}=v`], configFlags);
      expect(configValues(values)).toEqual({ [b.path]: "v" });
    }
  });

  it("leave flags that are not of the configuration alone", () => {
    expect(configValues({ "load.rate": "5" })).toEqual({});
  });
});

describe("describeFlags", () => {
  it("names each flag with its meaning, its default and its variable, aligned", () => {
    const lines = describeFlags(FLAGS).split("\n");
    expect(lines).toEqual([
      "  --web.port=<number>     the port (default 9105, $PORT)",
      "  --auto-heal             act (default 1)",
      "  --config.file=<string>  a file",
    ]);
  });
});
