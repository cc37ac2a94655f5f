import { useEffect, useRef, useState } from 'preact/hooks';
import type { Report } from '../device/device-messages.ts';
import { conversationOf, type DeviceView, unreadCount } from '../device/device-view.ts';
import { type DeviceControl, useDevice } from '../device/use-device.ts';
import type { Conversation, Person, Room } from '../room/room.ts';
import { Composer } from './composer.tsx';
import { InviteDialog } from './invite-dialog.tsx';
import { MessageLog } from './message-log.tsx';
import { NewConversationDialog } from './new-conversation-dialog.tsx';
import { usePageVisible } from './hooks.ts';
import { Unread } from './unread.tsx';

const STATUS: Record<DeviceView['status'], string> = {
  starting: 'Starting…',
  connecting: 'Connecting…',
  catching_up: 'Catching up…',
  online: 'Online',
  waiting: 'No connection, trying again…',
  stopped: 'Stopped',
  killed: 'Killed',
};

interface PaneProps {
  readonly person: Person;
  readonly room: Room;
  /** On a small screen there is one pane at a time; in one that is not shown nothing is read. */
  readonly isShown: boolean;
  readonly onReports: (reports: readonly Report[]) => void;
  readonly onUnread: (userId: string, count: number) => void;
  /** A conversation was made, or has changed. */
  readonly onConversation: (conversation: Conversation) => void;
}

/** What one person has before them. */
export function PersonPane({ person, room, isShown, onReports, onUnread, onConversation }: PaneProps) {
  const { userId, name } = person;
  const device = useDevice(person, room.conversations, onReports);
  const [chosen, setChosen] = useState(room.conversations[0]!.conversationId);
  const conversation = room.conversations.find(({ conversationId }) => conversationId === chosen)!;
  const { view, isOnline } = device;
  const open = conversationOf(view, chosen);
  useCreation(device, room, onConversation);
  useReading(device, chosen, isShown);
  const current = useRef<HTMLButtonElement>(null);
  useEffect(() => current.current?.scrollIntoView({ block: 'nearest', inline: 'nearest' }), [chosen]);
  const counts = room.conversations.map(({ conversationId }) =>
    unreadCount(conversationOf(view, conversationId), userId),
  );
  const total = counts.reduce((sum, count) => sum + count, 0);
  useEffect(() => onUnread(userId, total), [onUnread, userId, total]);
  const isKilled = view.status === 'killed';
  const isOver = isKilled || view.status === 'stopped';
  const status = isOver || isOnline ? view.status : 'offline';

  return (
    <section class="pane person" aria-label={name} hidden={!isShown} data-status={status}>
      <header class="pane-head">
        <h2>{name}</h2>
        <p class="device-status" role="status">
          {status === 'offline' ? 'Offline' : STATUS[status]}
        </p>
        <button type="button" disabled={isOver} onClick={() => device.setOnline(!isOnline)}>
          {isOnline ? 'Go offline' : 'Go online'}
        </button>
        <button type="button" onClick={isOver ? device.start : device.kill}>
          {isOver ? 'Bring back' : 'Kill'}
        </button>
      </header>
      <nav class="conversations" aria-label={`${name}’s conversations`}>
        <ul>
          {room.conversations.map(({ conversationId, title }, index) => (
            <li key={conversationId}>
              <button
                ref={conversationId === chosen ? current : null}
                type="button"
                aria-current={conversationId === chosen ? 'true' : undefined}
                onClick={() => setChosen(conversationId)}
              >
                {title} <Unread count={counts[index] ?? 0} />
              </button>
            </li>
          ))}
        </ul>
        {room.isGuest ? null : (
          <NewConversationDialog
            owner={person}
            onMade={(made) => {
              onConversation(made);
              setChosen(made.conversationId);
            }}
          />
        )}
        {conversation.owner === userId ? <InviteDialog conversation={conversation} ask={device.ask} /> : null}
      </nav>
      {view.trouble === undefined ? null : (
        <p class="trouble" role="alert">
          {view.trouble}
        </p>
      )}
      {isKilled ? (
        <div class="killed">
          <p>
            <strong>{name}’s device is dead.</strong> Its process was ended in the middle of whatever it did.
            What it had stored is still in this browser: bring it back, and it goes on from there.
          </p>
        </div>
      ) : (
        <MessageLog key={chosen} title={conversation.title} conversation={open} userId={userId} />
      )}
      <Composer
        name={name}
        title={conversation.title}
        isReady={!isOver && conversation.isCreated}
        onSend={(texts) => device.send(chosen, texts)}
      />
    </section>
  );
}

/** Makes on the server what this person's page has thought up, as soon as it is reached. */
function useCreation(device: DeviceControl, room: Room, onConversation: PaneProps['onConversation']): void {
  const asked = useRef(new Set<string>());
  const { person, view, ask } = device;
  const { status } = view;
  useEffect(() => {
    if (status !== 'online') return;
    const members = room.people.map(({ userId }) => userId);
    for (const conversation of room.conversations) {
      const { conversationId, owner, isCreated } = conversation;
      if (owner !== person.userId || isCreated || asked.current.has(conversationId)) continue;
      asked.current.add(conversationId);
      ask({ kind: 'create', conversationId, members })
        .then(() => onConversation({ ...conversation, isCreated: true }))
        // Tried again the next time that it is online.
        .catch(() => asked.current.delete(conversationId));
    }
  }, [status, room, person, ask, onConversation]);
}

/** What is open before somebody's eyes is read. */
function useReading({ person, view, read }: DeviceControl, conversationId: string, isShown: boolean): void {
  const isVisible = usePageVisible();
  const conversation = conversationOf(view, conversationId);
  const last = conversation.messages.findLast(({ sender }) => sender !== person.userId)?.seq ?? 0;
  const isUnread = isShown && isVisible && last > (conversation.marks[person.userId]?.read ?? 0);
  useEffect(() => {
    if (isUnread) read(conversationId, last);
  }, [isUnread, read, conversationId, last]);
}
