import type { Marks } from '../content.ts';
import type { DeviceStatus, OutgoingText, Report, ShownMessage } from './device-messages.ts';

/** What the page knows of a device: all of it from its reports. */
export interface DeviceView {
  readonly status: DeviceStatus | 'killed';
  readonly conversations: Readonly<Record<string, ConversationView>>;
  readonly trouble: string | undefined;
}

export interface ConversationView {
  /** Ascending by `seq`. */
  readonly messages: readonly ShownMessage[];
  /** In the order in which they were written, behind all that have a place. */
  readonly outgoing: readonly OutgoingText[];
  /** Of every member that said something of it, by user id. */
  readonly marks: Readonly<Record<string, Marks & { readonly name: string }>>;
}

export const NEW_DEVICE: DeviceView = { status: 'starting', conversations: {}, trouble: undefined };
const EMPTY: ConversationView = { messages: [], outgoing: [], marks: {} };

export function conversationOf(view: DeviceView, conversationId: string): ConversationView {
  return view.conversations[conversationId] ?? EMPTY;
}

/** Texts of others that this person has not seen. */
export function unreadCount({ messages, marks }: ConversationView, userId: string): number {
  const read = marks[userId]?.read ?? 0;
  return messages.filter(({ kind, sender, seq }) => kind === 'text' && sender !== userId && seq > read)
    .length;
}

/** Who of the others is that far, by name. */
export function whoIsPast(
  { marks }: ConversationView,
  userId: string,
  seq: number,
  mark: keyof Marks,
): string[] {
  return Object.entries(marks)
    .filter(([id, marksOf]) => id !== userId && marksOf[mark] >= seq)
    .map(([, { name }]) => name);
}

/** The view after what a device reported, oldest first. */
export function applyReports(view: DeviceView, reports: readonly Report[]): DeviceView {
  const changed = new Map<string, Draft>();
  const draft = (conversationId: string): Draft => {
    let one = changed.get(conversationId);
    if (one === undefined) {
      const { messages, outgoing, marks } = conversationOf(view, conversationId);
      one = { messages: [...messages], outgoing: [...outgoing], marks: { ...marks } };
      changed.set(conversationId, one);
    }
    return one;
  };
  let { status, trouble } = view;
  for (const report of reports) {
    switch (report.kind) {
      case 'status':
        status = report.status;
        break;
      case 'trouble':
        trouble = report.text;
        break;
      case 'message':
        place(draft(report.message.conversationId), report.message);
        break;
      case 'reset':
        draft(report.conversationId).messages = [];
        break;
      case 'outgoing':
        settle(draft(report.message.conversationId), report.message);
        break;
      case 'marks': {
        const { conversationId, userId, name, delivered, read } = report;
        const { marks } = draft(conversationId);
        const before = marks[userId];
        marks[userId] = {
          name,
          delivered: Math.max(delivered, before?.delivered ?? 0),
          read: Math.max(read, before?.read ?? 0),
        };
        break;
      }
      // For others in the page.
      case 'wire':
      case 'answer':
        break;
    }
  }
  return { status, trouble, conversations: { ...view.conversations, ...Object.fromEntries(changed) } };
}

interface Draft {
  messages: ShownMessage[];
  outgoing: OutgoingText[];
  marks: Record<string, Marks & { name: string }>;
}

/** By its `seq`, whenever it comes: a repeat changes nothing, and a late one goes where it belongs. */
function place(conversation: Draft, message: ShownMessage): void {
  const { messages } = conversation;
  let index = messages.length;
  while (index > 0 && messages[index - 1]!.seq > message.seq) index--;
  if (messages[index - 1]?.seq === message.seq) messages[index - 1] = message;
  else messages.splice(index, 0, message);
  conversation.outgoing = conversation.outgoing.filter(({ messageId }) => messageId !== message.messageId);
}

function settle(conversation: Draft, message: OutgoingText): void {
  const { outgoing, messages } = conversation;
  if (messages.some(({ messageId }) => messageId === message.messageId)) return;
  const index = outgoing.findIndex(({ messageId }) => messageId === message.messageId);
  if (index === -1) outgoing.push(message);
  else outgoing[index] = message;
}
