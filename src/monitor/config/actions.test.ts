import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { prepareCall } from "../actions/http/settings.ts";
import { ConfigError } from "./errors.ts";
import { loadConfig } from "./load.ts";

const folder = mkdtempSync(join(tmpdir(), "helius-config-"));
afterAll(() => rmSync(folder, { recursive: true }));
const FILE = join(folder, "helius.yml");

function load(yaml: string) {
  writeFileSync(FILE, yaml);
  return loadConfig({ file: FILE, env: {}, flags: {}, targetless: true });
}

function problems(yaml: string): string[] {
  try {
    load(yaml);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as ConfigError).message.replaceAll(`${folder}/`, "").split("\n");
  }
  throw new Error("the configuration was accepted");
}

describe("the section actions", () => {
  it("is empty by default", () => {
    expect(load("").actions).toEqual({
      kubernetes: {},
      http: [],
    });
  });

  it("gives a call its defaults, and the parameters that its templates need", () => {
    const { http } = load(`
actions:
  http:
    - { name: drain, url: "http://lb/pools/{{parameters.pool}}?r={{region}}" }
    - name: train
      url: https://jobs.example/jobs/{{intent.id}}
      method: PUT
      headers: { Content-Type: application/json, X-Team: shop }
      headers_from_files: { Authorization: /run/secrets/jobs }
      body: '{"why":"{{alert}}","set":"{{parameters.set}}"}'
      timeout_seconds: 2.5
      expect_status: [200, 409]
      reconcile: https://jobs.example/jobs/{{intent.id}}
    - { name: page, url: "http://pager/x", method: POST, idempotent: true, body: "a={{region}}", headers: { content-type: application/x-www-form-urlencoded } }
    - { name: note, url: "http://notes/x", body: "plain", headers: { content-type: text/plain } }
`).actions;
    expect((http as Parameters<typeof prepareCall>[0][]).map(prepareCall)).toEqual([
      {
        name: "drain",
        method: "POST",
        url: "http://lb/pools/{{parameters.pool}}?r={{region}}",
        headers: {},
        headersFromFiles: {},
        body: undefined,
        timeoutMs: 4000,
        expectStatus: [],
        reconcile: undefined,
        idempotent: false,
        expectJson: {},
        parameters: ["pool", "region"],
        needsAlert: false,
      },
      {
        name: "train",
        method: "PUT",
        url: "https://jobs.example/jobs/{{intent.id}}",
        headers: { "content-type": "application/json", "x-team": "shop" },
        headersFromFiles: { authorization: "/run/secrets/jobs" },
        body: '{"why":"{{alert}}","set":"{{parameters.set}}"}',
        timeoutMs: 2500,
        expectStatus: [200, 409],
        reconcile: "https://jobs.example/jobs/{{intent.id}}",
        idempotent: true,
        expectJson: {},
        parameters: ["set"],
        needsAlert: true,
      },
      expect.objectContaining({ idempotent: true, parameters: ["region"] }),
      expect.objectContaining({ headers: { "content-type": "text/plain" }, parameters: [] }),
    ]);
  });
});

describe("what is wrong with a call is named by its place", () => {
  const call = (more: string) => `actions:\n  http:\n    - name: a\n      url: http://lb/x\n      ${more}\n`;
  it.each<[string, string, (string | RegExp)[]]>([
    [
      "an unknown placeholder in the URL",
      "actions:\n  http:\n    - name: a\n      url: http://lb/{{token}}",
      [
        'helius.yml:4:7: actions.http[0].url has the unknown placeholder "{{token}}"; there are {{intent.id}}, {{target}}, {{alert}}, {{region}}, {{parameters.NAME}}',
      ],
    ],
    [
      "one in the body",
      call(`body: '{"a":"{{env.HOME}}"}'`),
      [/^helius\.yml:5:7: actions\.http\[0\]\.body has the unknown placeholder "\{\{env\.HOME\}\}"/],
    ],
    [
      "one in the URL to reconcile by",
      call("reconcile: http://lb/{{id}}"),
      [/^helius\.yml:5:7: actions\.http\[0\]\.reconcile has the unknown placeholder/],
    ],
    [
      "an address that a value would choose",
      "actions:\n  http:\n    - { name: a, url: 'http://{{target}}/x' }",
      [/^helius\.yml:3:18: actions\.http\[0\]\.url must be an http:\/\/ or https:\/\/ URL without user/],
    ],
    [
      "a placeholder in a header",
      call("headers: { x-region: '{{region}}' }"),
      [
        "helius.yml:5:18: actions.http[0].headers.x-region must be plain text: placeholders stand in url, body and reconcile only",
      ],
    ],
    [
      "the admin token's header",
      call("headers: { X-Admin-Token: abc }"),
      [
        /^helius\.yml:5:18: actions\.http\[0\]\.headers\.X-Admin-Token is set by the monitor or the connection/,
      ],
    ],
    [
      "the admin token's file",
      `admin: { token_file: /run/secrets/admin }\n${call("headers_from_files: { authorization: /run/secrets/admin }")}`,
      [/^helius\.yml:6:29: .*authorization must not be the file of the admin token/],
    ],
    [
      "a header twice",
      call("headers: { X-A: b }\n      headers_from_files: { x-a: /f }"),
      [/headers_from_files\.x-a is given twice; a header has one value$/],
    ],
    [
      "a header that would be two",
      call('headers: { x-a: "b\\r\\nx-c: d" }'),
      [/headers\.x-a must be 1 to 4096 printable ASCII characters$/],
    ],
    ["a name that is no header", call("headers: { 'a b': c }"), [/must be the name of a header/]],
    [
      "a number outside a JSON string",
      call(`body: '{"n":{{parameters.n}}}'`),
      [/^helius\.yml:5:7: actions\.http\[0\]\.body must be JSON with placeholders inside its strings only/],
    ],
    ["a method that changes nothing", call("method: GET"), [/method must be POST, PUT, PATCH or DELETE$/]],
    ["a redirect as success", call("expect_status: [302]"), [/expect_status\[0\] must be a status from 200/]],
    [
      "a deadline that the action does not have",
      call("timeout_seconds: 60"),
      [/timeout_seconds must be a number from 0\.1 up to 10 \(seconds\)$/],
    ],
    [
      "a field that no JSON has",
      call("expect_json: { 'a..b': 1 }"),
      [/expect_json must name fields, e\.g\. status/],
    ],
    [
      "a field whose value is a list",
      call("expect_json: { a: [1] }"),
      [/expect_json\.a must be text, a number, true or false$/],
    ],
    [
      "an unknown key",
      call("retries: 3"),
      [/^helius\.yml:5:7: actions\.http\[0\]\.retries is not a known key/],
    ],
    [
      "two of one name",
      "actions:\n  http:\n    - {name: a, url: http://b}\n    - {name: a, url: http://c}",
      [
        'helius.yml:4:8: actions.http[1].name "a" is already the name of actions.http[0]; each must be unique',
      ],
    ],
    [
      "the name of a target",
      "targets: [{name: a, url: http://a}]\nactions: {http: [{name: a, url: http://b}]}",
      ['helius.yml:2:19: actions.http[0].name "a" is already the name of target 1; each must be unique'],
    ],
    [
      "a workload whose name no cluster takes",
      "playbooks: [{name: a, alert: {name: b}, steps: [{action: rollout-restart, workload: h/deployment/a..b}]}]",
      [/workload must be NAMESPACE\/deployment\/NAME \(or statefulset, daemonset\)$/],
    ],
    [
      "a context without a kubeconfig",
      "actions: {kubernetes: {context: prod}}",
      [/^helius\.yml:1:24: actions\.kubernetes\.context needs actions\.kubernetes\.kubeconfig/],
    ],
  ])("%s", (_, yaml, expected) => {
    expect(problems(yaml)).toEqual(
      expected.map((line) => (typeof line === "string" ? line : expect.stringMatching(line))),
    );
  });
});
