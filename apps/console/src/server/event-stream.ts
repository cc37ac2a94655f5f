/** An event of ours is a few kilobytes; one that never ends must not fill the tab's memory. */
const EVENT_CHARS_MAX = 4 * 1024 * 1024;

/**
 * Reads `text/event-stream` and hands on the data of each event; comments (keep-alives) are passed over. `onHeard`
 * hears of whatever comes.
 */
export async function readEvents(
  body: ReadableStream<Uint8Array>,
  onEvent: (data: string) => void,
  onHeard: () => void = () => undefined,
): Promise<void> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    onHeard();
    rest += decoder.decode(value, { stream: true });
    if (rest.length > EVENT_CHARS_MAX) throw new Error('an event without an end');
    const events = rest.split(/\r?\n\r?\n/);
    rest = events.pop() ?? '';
    for (const event of events) {
      const data = event
        .split(/\r?\n/)
        .filter((line) => line.startsWith('data:'))
        .map((line) => line.slice(5).replace(/^ /, ''))
        .join('\n');
      if (data !== '') onEvent(data);
    }
  }
}
