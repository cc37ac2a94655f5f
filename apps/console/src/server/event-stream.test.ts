import { expect, test } from 'vitest';
import { readEvents } from './event-stream.ts';

test('events come whole, however the stream was cut', async () => {
  const text = ': hello\n\nevent: pipeline\ndata: {"a":1}\n\ndata: x\r\ndata: ü\r\n\r\ndata: cut off';
  const bytes = new TextEncoder().encode(text);
  for (const size of [1, 3, 7, bytes.length]) {
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        for (let at = 0; at < bytes.length; at += size) controller.enqueue(bytes.subarray(at, at + size));
        controller.close();
      },
    });
    const events: string[] = [];
    await readEvents(body, (data) => events.push(data));
    expect(events).toEqual(['{"a":1}', 'x\nü']);
  }
});
