import { describe, expect, test } from "vitest";
import { createSiteCheck } from "./site.ts";

const check = createSiteCheck({
  names: ["Monitor.example.com", "*.corp.example"],
  setting: "web.allowed_hosts",
});

describe("the name it is called by", () => {
  test.each([
    "127.0.0.1:9105",
    "10.1.2.3",
    "[::1]:9105",
    "[fe80::1]",
    "localhost:9105",
    "LOCALHOST",
    "predictive-monitor:9105",
    "predictive-monitor.helius.svc:9105",
    "predictive-monitor.helius.svc.cluster.local",
    "monitor.localhost:9105",
    "nas.home.arpa",
    "monitor.example.com:443",
    "MONITOR.EXAMPLE.COM.",
    "a.b.corp.example",
  ])("%s is one of its own", (host) => {
    expect(check.host({ host })).toBeUndefined();
  });

  test.each([
    "rebound.example:9105",
    "evil.com",
    "127.0.0.1.evil.com:9105",
    "localhost.evil.com",
    "corp.example",
    "notcorp.example",
    "monitor.example.com.evil.com",
    "monitor.example.com@evil.com",
    "svc.evil",
    "a b",
    "",
  ])("%j is not, and says what to do", (host) => {
    expect(check.host({ host })).toEqual({
      kind: "foreign_host",
      message: expect.stringMatching(/^this is not called ".*" here; web\.allowed_hosts says by which/),
    });
  });
});

describe("who asks for a change", () => {
  const host = "127.0.0.1:9105";
  test.each([
    {},
    { "sec-fetch-site": "same-origin" },
    { "sec-fetch-site": "none" },
    { origin: "http://127.0.0.1:9105" },
    // Behind a proxy that is called by its own name.
    { origin: "https://monitor.example.com" },
    { origin: "https://other.example", "sec-fetch-site": "same-origin" },
    { origin: "https://a.corp.example", "sec-fetch-site": "same-site" },
  ])("%j may", (headers) => {
    expect(check.origin({ host, ...headers })).toBeUndefined();
  });

  test.each([
    { "sec-fetch-site": "cross-site" },
    { "sec-fetch-site": "same-site" },
    { "sec-fetch-site": "anything" },
    { origin: "null" },
    { origin: "https://evil.com" },
    // Another port of the same machine is another site's page.
    { origin: "http://127.0.0.1:8080" },
    { origin: "http://127.0.0.1:9105", "sec-fetch-site": "cross-site" },
    { origin: "https://monitor.example.com.evil.com" },
    { origin: "" },
    { origin: "file://" },
  ])("%j may not", (headers) => {
    expect(check.origin({ host, ...headers })).toEqual({
      kind: "foreign_origin",
      message: expect.stringMatching(/^a page of .* may not ask for this$/),
    });
  });
});
