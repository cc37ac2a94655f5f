import type { Pipeline } from '@sanctum/protocol/admin';
import { expect, test } from 'vitest';
import { pipelineText } from './pipeline-text.ts';

type Pod = Pipeline['pods'][number];

test('what pods say of themselves cannot move the cursor', () => {
  const pod: Pod = {
    instance: 'i',
    name: 'a\u001b[2J',
    // Another program's word, whatever the type says.
    state: 'ready\u001b[1A' as Pod['state'],
    reasons: ['redis_unreachable', 'x\r\u001b[31m'],
    version: '1',
    started_at: '2026-11-25T12:00:00.000Z',
    seen_at: '2026-11-25T12:00:00.000Z',
    dispatcher: true,
    consumer: true,
    paused: [],
    connections: 0,
    slow_connections: 0,
    conversations: 0,
    epoch: 1,
  };
  const pipeline: Pipeline = {
    at: '2026-11-25T12:00:00.000Z',
    answered_by: 'cli',
    epoch: 1,
    stages: [],
    stores: { outbox: null, stream: null },
    lag: { p50_ms: null, p95_ms: null },
    end_to_end: { p50_ms: null, p95_ms: null },
    pods: [pod],
  };
  const text = pipelineText(pipeline, { paint: (_, word) => word });
  for (const control of ['\u001b', '\r']) expect(text).not.toContain(control);
  expect(text).toContain('redis_unreachable x\\u{d}\\u{1b}[31m');
});
