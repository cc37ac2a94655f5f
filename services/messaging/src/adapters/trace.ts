import type { Trace } from '@sanctum/protocol/admin';
import type { PodQuestions } from '../operations/pod-questions.ts';
import { traceMessage } from './postgres/message-trace.ts';
import type { PostgresPool } from './postgres/pool.ts';
import type { StreamInspector } from './redis/stream-inspector.ts';

const NOT_SENT = {
  state: 'not_sent',
  entry_id: null,
  read: null,
  published: null,
  pending_with: null,
} as const;

/** A message's whole way: the log's part, the stream's, and that of the pods. undefined: no such message. */
export async function traceWhole(
  deps: {
    readonly pool: PostgresPool;
    readonly inspector: StreamInspector | undefined;
    readonly questions: PodQuestions;
    /** `DISPATCH_STREAM_PARTITIONS` */
    readonly partitions: number;
  },
  message: { readonly messageId: string; readonly conversationId: string | undefined },
): Promise<Trace | undefined> {
  const found = await traceMessage(deps.pool, message);
  if (found === undefined) return undefined;
  const { trace, bucket, dispatchedAt } = found;
  const conversationId = trace.conversation_id;
  const [stream, { answers, missing }] = await Promise.all([
    dispatchedAt === undefined
      ? NOT_SENT
      : onStream(deps.inspector, {
          conversationId,
          messageId: trace.message_id,
          partition: bucket % deps.partitions,
          dispatchedAt,
        }),
    deps.questions.ask({ about: 'readers', conversationId, seq: trace.seq }),
  ]);
  return {
    ...trace,
    stream,
    // Who still waits for it comes first.
    readers: answers.flatMap(({ readers = [] }) => readers).sort((a, b) => Number(a.past) - Number(b.past)),
    readers_past: answers.reduce((sum, { past = 0 }) => sum + past, 0),
    readers_total: answers.reduce((sum, { count = 0 }) => sum + count, 0),
    pods_missing: [...missing],
  };
}

/** null: Redis cannot be asked. */
async function onStream(
  inspector: StreamInspector | undefined,
  message: Parameters<StreamInspector['find']>[0],
): Promise<Trace['stream']> {
  try {
    if (inspector === undefined) return null;
    const { state, entryId, read, pendingWith } = await inspector.find(message);
    const isFound = state === 'found';
    return {
      state,
      entry_id: entryId ?? null,
      read: isFound ? read : null,
      published: isFound ? read && pendingWith === undefined : null,
      pending_with: pendingWith ?? null,
    };
  } catch {
    return null;
  }
}
