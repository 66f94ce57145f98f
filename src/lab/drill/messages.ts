import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { messageKey } from "../../services/telemetry-gateway/message.ts";
import type { AckedMessage } from "./mqtt-fleet.ts";
import type { Messages } from "./recording.ts";

/**
 * Holds what the devices had acknowledged against what the gateway has on disk: a message is delivered when it is in
 * the telemetry store, dead-lettered when it is kept as one, else lost. The gateway must not be running.
 * @param folder the gateway's data folder.
 */
export function countMessages(folder: string, acked: readonly AckedMessage[]): Omit<Messages, "refused"> {
  const dead = deadLetters(join(folder, "buffer.sqlite"));
  const count = { acked: 0, delivered: 0, deadLettered: 0, lost: 0 };
  for (const [region, own] of Map.groupBy(acked, (message) => message.region)) {
    const stored = delivered(join(folder, `telemetry-${region}.sqlite`));
    // The same message acknowledged twice, as after a cut connection, is one message.
    for (const key of new Set(own.map(({ device, id }) => messageKey(device, id)))) {
      count.acked += 1;
      if (stored.has(key)) count.delivered += 1;
      else if (dead.has(laneKey(region, key))) count.deadLettered += 1;
      else count.lost += 1;
    }
  }
  return count;
}

function delivered(file: string): Set<string> {
  const keys = new Set<string>();
  for (const { device, id } of rows(file, "SELECT device, id FROM telemetry"))
    keys.add(messageKey(String(device), String(id)));
  return keys;
}

function deadLetters(file: string): Set<string> {
  const keys = new Set<string>();
  const query = "SELECT lanes.name AS lane, dead.key AS key FROM dead JOIN lanes ON lanes.id = dead.lane";
  for (const { lane, key } of rows(file, query)) keys.add(laneKey(String(lane), String(key)));
  return keys;
}

function laneKey(lane: string, key: string): string {
  return `${lane} ${key}`;
}

function rows(file: string, query: string): Record<string, unknown>[] {
  const db = new DatabaseSync(file, { readOnly: true });
  try {
    return db.prepare(query).all();
  } finally {
    db.close();
  }
}
