import { fileStorage } from '@sanctum/client/node';
import type { FinalState } from '../history/final-state.ts';
import type { DeviceSettings } from './tortured-device.ts';

/**
 * What devices stored, against the log: everything of their conversations, once each; and everything that they
 * sent, once in the log. Storages must be closed.
 */
export async function judgeStorages(
  devices: readonly DeviceSettings[],
  final: FinalState,
): Promise<{ violations: string[]; stored: number; sent: number }> {
  const violations: string[] = [];
  let stored = 0;
  let sent = 0;
  const places = new Map<string, number>();
  for (const { rows } of final.conversations.values()) {
    for (const { messageId } of rows.values()) places.set(messageId, (places.get(messageId) ?? 0) + 1);
  }
  for (const device of devices) {
    const storage = await fileStorage(device.file);
    const tell = (text: string): void => void violations.push(`${device.name}: ${text}`);
    for (const id of device.conversations) {
      const rows = final.conversations.get(id)?.rows ?? new Map<number, { messageId: string }>();
      const got = new Map((await storage.entries(`got/${id}/`)).map(([key, value]) => [key, value]));
      const count = Number((await storage.entries(`count/${id}`))[0]?.[1] ?? 0);
      for (const [seq, { messageId }] of rows) {
        const has = got.get(`got/${id}/${seq}`);
        if (has === undefined) tell(`lost ${seq} of ${id}`);
        else if (has !== messageId) tell(`has another message at ${seq} of ${id}`);
      }
      if (got.size !== rows.size || count !== rows.size) {
        tell(`took ${count} and has ${got.size} of the ${rows.size} messages of ${id}`);
      }
      stored += got.size;
    }
    for (const [key] of await storage.entries('sent/')) {
      sent++;
      const times = places.get(key.slice('sent/'.length)) ?? 0;
      if (times !== 1) tell(`what it sent is in the log ${times} times (${key})`);
    }
    for (const [key] of await storage.entries('sanctum/outbox/')) tell(`still waits to be sent: ${key}`);
    await storage.close();
  }
  return { violations, stored, sent };
}
