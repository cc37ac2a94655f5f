/** What a notifier needs of an entry of the stream. The ciphertext is not among it. */
export interface Entry {
  readonly conversationId: string;
  readonly messageId: string;
  readonly seq: number;
  readonly eventType: string;
  readonly occurredAtMs: number;
  /** Grows with each change of the members. */
  readonly membersVersion: number;
  /** From 1 on: an operator sends it again. */
  readonly replay: number;
  /** undefined in an operator's row that names none. */
  readonly sender: string | undefined;
}

/** Fields as Redis gives them: name, value, name, value, … undefined for what is no message, or of a newer version. */
export function readEntry(flat: readonly string[]): Entry | undefined {
  const fields = new Map<string, string>();
  for (let i = 0; i + 1 < flat.length; i += 2) fields.set(flat[i] as string, flat[i + 1] as string);
  const [conversationId, messageId] = [fields.get('conversation_id'), fields.get('message_id')];
  if (fields.get('v') !== '1' || conversationId === undefined || messageId === undefined) return undefined;
  return {
    conversationId,
    messageId,
    seq: Number(fields.get('seq')),
    eventType: fields.get('event_type') ?? '',
    occurredAtMs: Date.parse(fields.get('occurred_at') ?? ''),
    membersVersion: Number(fields.get('members_version')),
    replay: Number(fields.get('replay')),
    sender: senderOf(fields.get('payload') ?? ''),
  };
}

function senderOf(payload: string): string | undefined {
  try {
    const { sender } = JSON.parse(payload) as { sender?: unknown };
    return typeof sender === 'string' ? sender : undefined;
  } catch {
    return undefined;
  }
}
