import { formatTime } from '@sanctum/protocol';
import { printable, type Paint } from '../output.ts';
import type { TailEvent } from './tail-event.ts';

/** Characters of a message on a line. */
const TEXT_LENGTH_MAX = 4096;

/** An event as one line for people: time, conversation, and what there is to say of it. */
export function eventLine(event: TailEvent, { nowMs, paint }: { nowMs: number; paint: Paint }): string {
  const time = event.type === 'message' ? printable(event.occurred_at) : formatTime(nowMs);
  return `${paint('dim', `${time}  ${printable(event.conversation_id)}`)}  ${said(event, paint)}`;
}

function said(event: TailEvent, paint: Paint): string {
  switch (event.type) {
    case 'message': {
      const { seq, message_id, sender, ciphertext_bytes, text, late } = event;
      const from = sender === null ? '-' : printable(sender);
      const bytes = ciphertext_bytes === null ? 'no ciphertext' : `${ciphertext_bytes} bytes`;
      const content = text === undefined ? paint('dim', bytes) : printable(text, TEXT_LENGTH_MAX);
      const mark = late === undefined ? '' : '  late';
      return `${paint('bold', `#${seq}`)}  ${printable(message_id)}  ${paint('cyan', from)}  ${content}${mark}`;
    }
    case 'gap':
      return paint('yellow', `gap #${event.from}–#${event.to} (${printable(event.reason)})`);
    case 'member':
      return paint('yellow', `${printable(event.user_id)} ${printable(event.change)}, at #${event.seq}`);
    case 'reset':
      return paint('yellow', 'reset: the place in it was void');
    case 'refused':
      return paint('yellow', `not followed any more (${printable(event.code)})`);
  }
}
