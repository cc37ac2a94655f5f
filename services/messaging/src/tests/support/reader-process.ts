/**
 * A reader in a process of its own, so that what it costs is not taken for the service's latency: catches up with
 * one conversation from its start and prints what came. Arguments: WebSocket URL, token, conversation.
 */
import { TestClient } from './test-client.ts';

const [url, token, conversationId] = process.argv.slice(2) as [string, string, string];
const client = await TestClient.connect({ url, token, withoutCursor: 'start', validate: false });
await client.until(() => client.received.caughtUpCount === 1, 150_000);
const seqs = client.received.seqs(conversationId);
const isContiguous = seqs.every((seq, index) => seq === index + 1);
process.stdout.write(
  `${JSON.stringify({ count: seqs.length, isContiguous, faults: client.received.faults })}\n`,
);
await client.close();
