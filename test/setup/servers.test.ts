import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ensureServers, findServers, type Host, toInstall } from "./servers.ts";

let folder: string;
let commands: string[];
let onPath: Record<string, string>;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "helius-servers-"));
  commands = [];
  onPath = { "apt-get": "/usr/bin/apt-get" };
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A machine on which `act` says what each command does. */
function machine(isRoot: boolean, act: (command: string, cwd: string) => string): Host {
  return {
    path: "",
    isRoot,
    cacheDir: folder,
    log: () => {},
    which: (command) => onPath[command],
    run: async (program, args, options) => {
      const command = [program, ...args].join(" ");
      commands.push(command);
      return act(command, options?.cwd ?? "");
    },
  };
}

function fail(message: string): never {
  throw new Error(message);
}

describe("finding", () => {
  it("takes what is there, under any of its names, and names the package of what is not", () => {
    onPath["prometheus-alertmanager"] = "/usr/bin/prometheus-alertmanager";
    expect(findServers(["alertmanager", "promtool"], machine(true, fail))).toEqual({
      found: { alertmanager: "/usr/bin/prometheus-alertmanager" },
      missing: [{ name: "promtool", howToInstall: "apt-get install prometheus" }],
    });
    expect(commands).toEqual([]);
  });

  it("runs nothing when all is there", async () => {
    onPath.strace = "/usr/bin/strace";
    expect((await ensureServers(["strace"], machine(true, fail))).missing).toEqual([]);
    expect(commands).toEqual([]);
  });
});

describe("installing as root", () => {
  it("installs one package once, after refreshing the lists when the first try fails", async () => {
    let fresh = false;
    const host = machine(true, (command) => {
      if (command.endsWith("update")) fresh = true;
      else if (!fresh) fail("Unable to locate package prometheus");
      else Object.assign(onPath, { prometheus: "/usr/bin/prometheus", promtool: "/usr/bin/promtool" });
      return "";
    });
    const { found, missing } = await ensureServers(["prometheus", "promtool"], host);
    expect([Object.keys(found), missing]).toEqual([["prometheus", "promtool"], []]);
    expect(commands.map((command) => command.replace(/ -o \S+/, ""))).toEqual([
      "apt-get install -y --no-install-recommends prometheus",
      "apt-get update",
      "apt-get install -y --no-install-recommends prometheus",
    ]);
  });

  it("says what was tried when it does not work", async () => {
    const { missing } = await ensureServers(
      ["mosquitto"],
      machine(true, () => fail("no network")),
    );
    expect(missing).toEqual([
      { name: "mosquitto", howToInstall: "apt-get install mosquitto (tried: no network)" },
    ]);
  });

  it("does not try where there is no apt-get", async () => {
    onPath = {};
    const { missing } = await ensureServers(["mosquitto"], machine(true, fail));
    expect(missing[0]?.howToInstall).toContain("not a Debian system");
    expect(commands).toEqual([]);
  });
});

describe("installing as an ordinary user", () => {
  const simulation =
    "NOTE: This is only a simulation!\nInst libx1 (1.0)\nInst mosquitto (2.0 Debian)\nConf libx1\n";

  /** `dpkg -x` as far as this test needs it: a program that prints its library path, and a library. */
  function unpack(root: string): void {
    mkdirSync(join(root, "usr/sbin"), { recursive: true });
    mkdirSync(join(root, "usr/lib/x86_64-linux-gnu"), { recursive: true });
    writeFileSync(join(root, "usr/lib/x86_64-linux-gnu/libx.so.1"), "");
    writeFileSync(join(root, "usr/sbin/mosquitto"), '#!/bin/sh\necho "$1 $LD_LIBRARY_PATH"\n');
    chmodSync(join(root, "usr/sbin/mosquitto"), 0o755);
  }

  function act(command: string, cwd: string): string {
    if (command.includes("--simulate")) return simulation;
    if (command.includes(" download ")) writeFileSync(join(cwd, "mosquitto.deb"), "");
    if (command.startsWith("dpkg -x")) unpack(command.split(" ").at(-1) ?? "");
    return "";
  }

  it("unpacks the package with the libraries it lacks, behind a launcher that finds them", async () => {
    const { found, missing } = await ensureServers(["mosquitto"], machine(false, act));
    expect(missing).toEqual([]);
    expect(commands[1]).toBe("apt-get download libx1 mosquitto");
    const env = { PATH: process.env.PATH };
    const output = execFileSync(found.mosquitto ?? "", ["hello"], { encoding: "utf8", env });
    expect(output).toBe(`hello ${join(folder, "mosquitto/usr/lib/x86_64-linux-gnu")}\n`);
    commands = [];
    expect((await ensureServers(["mosquitto"], machine(false, fail))).found).toEqual(found);
    expect(commands).toEqual([]);
  });

  it("fetches package lists into its own folder where the system has none", async () => {
    let fetched = false;
    const host = machine(false, (command, cwd) => {
      if (command.endsWith("update")) fetched = true;
      if (command.includes("--simulate") && !fetched) fail("Unable to locate package");
      return act(command, cwd);
    });
    expect((await ensureServers(["mosquitto"], host)).missing).toEqual([]);
    expect(commands.filter((command) => command.endsWith("update"))).toEqual([
      expect.stringContaining(`Dir::State::Lists=${join(folder, "apt/lists")}`),
    ]);
    expect(commands.at(-2)).toContain("Dir::State::Lists=");
  });

  it("reads nothing to install as an error, not as success", () => {
    expect(toInstall(simulation)).toEqual(["libx1", "mosquitto"]);
    expect(() => toInstall("mosquitto is already the newest version")).toThrow("nothing");
  });
});
