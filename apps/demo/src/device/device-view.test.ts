import { expect, it } from 'vitest';
import type { OutgoingText, Report, ShownMessage } from './device-messages.ts';
import { applyReports, conversationOf, NEW_DEVICE, unreadCount, whoIsPast } from './device-view.ts';

const CONVERSATION = 'c';

function text(seq: number, sender = 'ben', messageId = `m${seq}`): Report & { message: ShownMessage } {
  const shared = { conversationId: CONVERSATION, occurredAt: '', wire: undefined, name: sender };
  return { kind: 'message', message: { ...shared, kind: 'text', seq, sender, messageId, text: `#${seq}` } };
}

function outgoing(messageId: string, state: OutgoingText['state']): Report {
  const shared = { conversationId: CONVERSATION, createdAt: 0, reason: undefined };
  return { kind: 'outgoing', message: { ...shared, messageId, text: messageId, state } };
}

function marks(userId: string, delivered: number, read: number): Report {
  return { kind: 'marks', conversationId: CONVERSATION, userId, name: userId, delivered, read };
}

function viewOf(...reports: Report[]) {
  return conversationOf(applyReports(NEW_DEVICE, reports), CONVERSATION);
}

it('messages stand by their place, whenever they come, and each once', () => {
  const { messages } = viewOf(text(2), text(4), text(1), text(3), text(2), text(4));
  expect(messages.map(({ seq }) => seq)).toEqual([1, 2, 3, 4]);
});

it('what is on its way stands behind, and leaves when it has its place, in either order', () => {
  expect(
    viewOf(outgoing('a', 'queued'), outgoing('b', 'queued'), outgoing('a', 'sent')).outgoing,
  ).toMatchObject([
    { messageId: 'a', state: 'sent' },
    { messageId: 'b', state: 'queued' },
  ]);
  expect(viewOf(outgoing('a', 'queued'), text(1, 'ada', 'a'), outgoing('a', 'sent')).outgoing).toEqual([]);
  expect(viewOf(outgoing('a', 'queued'), outgoing('a', 'sent'), text(1, 'ada', 'a')).outgoing).toEqual([]);
});

it('what is void is shown no more, and comes again; what is on its way stays', () => {
  const reset: Report = { kind: 'reset', conversationId: CONVERSATION };
  const view = viewOf(text(1), text(2), outgoing('a', 'queued'), reset, text(1, 'ben', 'other'));
  expect(view.messages.map(({ messageId }) => messageId)).toEqual(['other']);
  expect(view.outgoing).toHaveLength(1);
});

it('unread are texts of others behind the own mark', () => {
  const reports = [text(1), text(2, 'ada'), text(3), text(4)];
  expect(unreadCount(viewOf(...reports), 'ada')).toBe(3);
  expect(unreadCount(viewOf(...reports, marks('ada', 4, 3)), 'ada')).toBe(1);
  expect(unreadCount(viewOf(...reports, marks('ben', 4, 4)), 'ada')).toBe(3);
});

it('a mark never goes back', () => {
  const view = viewOf(marks('ben', 5, 4), marks('ben', 3, 2));
  expect(whoIsPast(view, 'ada', 4, 'read')).toEqual(['ben']);
  expect(whoIsPast(view, 'ada', 5, 'read')).toEqual([]);
  expect(whoIsPast(view, 'ada', 5, 'delivered')).toEqual(['ben']);
  expect(whoIsPast(view, 'ben', 1, 'read')).toEqual([]);
});
