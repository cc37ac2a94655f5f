import { encodeBase64, type MessageFrame, type ServerFrame } from '@sanctum/protocol';
import type { Client } from '../client.ts';
import { connect, type ConnectOptions } from '../connect.ts';
import { memoryStorage } from '../storage/memory-storage.ts';
import type { Storage } from '../storage/storage.ts';
import { ManualClock } from './manual-clock.ts';
import { mirrorCipher } from './mirror-cipher.ts';
import { ScriptedHttp } from './scripted-http.ts';
import { ScriptedNetwork } from './scripted-network.ts';

export const A = 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa';
export const B = 'bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb';

/** Alice's device, with a network, a clock and a storage that a test holds in its hands. */
export interface Device {
  readonly client: Client;
  readonly clock: ManualClock;
  readonly network: ScriptedNetwork;
  readonly http: ScriptedHttp;
  readonly storage: Storage;
  /** What its listener was given, as `seq` or `seq:text`. */
  readonly taken: string[];
}

export async function device(
  options: Partial<ConnectOptions> & { clock?: ManualClock; listens?: boolean } = {},
): Promise<Device> {
  const { listens = true, clock = new ManualClock(), storage = memoryStorage(), ...rest } = options;
  const network = new ScriptedNetwork(clock);
  const http = new ScriptedHttp();
  const client = await connect({
    url: 'http://service',
    userId: 'alice',
    token: () => 'token',
    cipher: mirrorCipher,
    storage,
    WebSocket: network.WebSocket,
    fetch: http.fetch,
    clock,
    ...rest,
  });
  const taken: string[] = [];
  if (listens) client.on('message', ({ seq, late }) => void taken.push(`${seq}${late ? ' late' : ''}`));
  // The turn of the event loop from which on the outbox sends.
  await clock.advance(1);
  return { client, clock, network, http, storage, taken };
}

const NOW = '2025-02-03T04:05:06.789Z';

/** A message as `mirrorCipher` would have made it. */
export function message(
  conversationId: string,
  seq: number,
  fields: Partial<MessageFrame> = {},
): MessageFrame {
  const ciphertext = encodeBase64(new TextEncoder().encode(`text ${seq}`).map((byte) => byte ^ 0xff));
  return {
    type: 'message',
    conversation_id: conversationId,
    seq,
    message_id: `00000000-0000-7000-8000-${String(seq).padStart(12, '0')}`,
    event_type: 'MessageCreated',
    occurred_at: NOW,
    members_version: 1,
    payload: { ciphertext, encryption: { scheme: 'mirror' }, sender: 'bob' },
    ...fields,
  };
}

/** Delivery of a conversation begins after a `seq`. */
export function seated(conversationId: string, after: number, id?: string | number): ServerFrame {
  const conversations = [
    { conversation_id: conversationId, status: 'ok' as const, after, head: after, min: 1 },
  ];
  return { type: 'subscribed', ...(id !== undefined && { id }), conversations };
}

export function gap(conversationId: string, from: number, to: number, reason = 'dead_letter'): ServerFrame {
  return { type: 'gap', conversation_id: conversationId, from, to, reason: reason as 'dead_letter' };
}
