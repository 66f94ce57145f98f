import { describe, expect, test } from "vitest";
import { UsageError } from "./command.ts";
import { replayCommand } from "./replay.ts";

describe("flags of helius replay", () => {
  test.each<[string[], string]>([
    [[], "give either --input=FILE (or --input=-) or --prom.url=URL"],
    [["--input=x", "--prom.url=http://p:1"], "give either --input"],
    [["--input=x", "--start=1"], "--start goes with --prom.url"],
    [["--input=x", "--output=xml"], '--output must be table or json, not "xml"'],
    [["--input=x", "--guards=none"], '--guards must be all or per-target, not "none"'],
    [["--input=x", "--nope"], "unknown flag --nope"],
    [["--input=x", "--plot=nowhere/p.html"], "--plot: there is no folder nowhere"],
    [["--input=x", "--plot=p.svg"], "--plot writes an HTML page: name it FILE.html, not p.svg"],
    [["--prom.url=http://p:1"], "--prom.url needs --start"],
    [["--prom.url=ftp://p:1", "--start=1", "--end=2"], "--prom.url must be an http or https URL"],
    [["--prom.url=http://p:1", "--start=5", "--end=2"], "--start must not be after --end"],
    [["--prom.url=http://p:1", "--start=yesterday", "--end=2"], "--start must be Unix seconds or like"],
    [["--prom.url=http://p:1", "--start=1", "--end=2", "--step=0"], "--step must be 1 s to 24 h"],
  ])("%j are refused before anything is read", async (args, message) => {
    const context = { args, env: {}, stop: new AbortController().signal, onReload: () => {} };
    const refused = replayCommand.run(context);
    await expect(refused).rejects.toThrow(UsageError);
    await expect(refused).rejects.toThrow(message);
  });
});
