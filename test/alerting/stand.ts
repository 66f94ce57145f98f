import { parseDocument } from "yaml";
import { readRepository } from "../containers/compose.ts";

/**
 * The shipped alertmanager.yml with the monitor's address, the token's file and shorter times, and with `people` told
 * over a webhook as well.
 */
export function alertmanagerConfig(to: {
  readonly monitor: string;
  readonly people: string;
  readonly tokenFile: string;
}): string {
  const document = parseDocument(readRepository("alertmanager/alertmanager.yml"));
  const receivers = document.toJS().receivers as { name: string }[];
  const at = (name: string) => receivers.findIndex((r) => r.name === name);
  const webhook = ["receivers", at("predictive-monitor"), "webhook_configs", 0];
  const path = new URL(String(document.getIn([...webhook, "url"]))).pathname;
  document.setIn([...webhook, "url"], `${to.monitor}${path}`);
  document.setIn([...webhook, "http_config", "authorization", "credentials_file"], to.tokenFile);
  const people = { url: `${to.people}/people`, send_resolved: true };
  document.setIn(["receivers", at("people"), "webhook_configs"], document.createNode([people]));
  return document
    .toString()
    .replaceAll(/(group_wait|group_interval|repeat_interval): \S+/g, (_, name: string) =>
      name === "repeat_interval" ? "repeat_interval: 3s" : `${name}: 1s`,
    );
}

/** The shipped prometheus.yml with a beat of a second and other addresses. */
export function prometheusConfig(addresses: Readonly<Record<string, string>>): string {
  let text = readRepository("prometheus/prometheus.yml")
    .replaceAll("15s", "1s")
    .replace("scrape_timeout: 10s", "scrape_timeout: 1s");
  for (const [name, address] of Object.entries(addresses)) {
    if (!text.includes(name)) throw new Error(`prometheus.yml does not name ${name}`);
    text = text.replaceAll(name, address);
  }
  return text;
}

/** A rule file with every duration for which an alert must last or keeps firing cut to two seconds. */
export function quickRules(file: string): string {
  return readRepository(file).replaceAll(/^( +)(for|keep_firing_for): \w+$/gm, "$1$2: 2s");
}
