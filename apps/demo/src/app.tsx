import { useCallback, useLayoutEffect, useMemo, useState } from 'preact/hooks';
import type { Report } from './device/device-messages.ts';
import { type Conversation, keepRoom, type Person, type Room } from './room/room.ts';
import { addSeen, NOTHING_SEEN } from './server-view.ts';
import { useNarrow } from './ui/hooks.ts';
import { PersonPane } from './ui/person-pane.tsx';
import { ServerPane } from './ui/server-pane.tsx';
import { Unread } from './ui/unread.tsx';

const SERVER = 'server';

/** People side by side, and the server between them. */
export function App({ first, startOver }: { first: Room; startOver: () => void }) {
  const [room, setRoom] = useState(first);
  const [server, setServer] = useState(NOTHING_SEEN);
  const [unread, setUnread] = useState<Readonly<Record<string, number>>>({});
  const [shown, setShown] = useState(first.people[0]!.userId);
  const isNarrow = useNarrow();
  // Before it is seen: a key that was made is lost by no reload.
  useLayoutEffect(() => keepRoom(room), [room]);

  const onReports = useCallback((reports: readonly Report[]) => {
    setServer((before) => addSeen(before, reports));
  }, []);
  const onUnread = useCallback((userId: string, count: number) => {
    setUnread((before) => (before[userId] === count ? before : { ...before, [userId]: count }));
  }, []);
  const onConversation = useCallback((conversation: Conversation) => {
    setRoom((before) => ({ ...before, conversations: withConversation(before.conversations, conversation) }));
  }, []);

  const paneOf = (person: Person) => (
    <PersonPane
      key={person.userId}
      person={person}
      room={room}
      isShown={!isNarrow || shown === person.userId}
      onReports={onReports}
      onUnread={onUnread}
      onConversation={onConversation}
    />
  );
  // What the server sees changes more often than the panes of people do.
  const [pane, otherPane] = useMemo(() => room.people.map(paneOf), [room, shown, isNarrow]);
  const tabs = [
    ...room.people.map(({ userId, name }) => [userId, name] as const),
    [SERVER, 'Server'] as const,
  ];
  return (
    <div class="demo">
      <header class="top">
        <h1>Sanctum demo</h1>
        <p class="lead">{leadOf(room)}</p>
        <button
          type="button"
          onClick={() => {
            const question = 'Forget the people, keys and messages of this page, and begin anew?';
            if (confirm(question)) startOver();
          }}
        >
          Start over
        </button>
      </header>
      <nav class="tabs" aria-label="Panes">
        {tabs.map(([id, name]) => (
          <button
            key={id}
            type="button"
            aria-current={shown === id ? 'true' : undefined}
            onClick={() => setShown(id)}
          >
            {name} <Unread count={unread[id] ?? 0} />
          </button>
        ))}
      </nav>
      <main class={otherPane === undefined ? 'panes alone' : 'panes'}>
        {pane}
        <ServerPane view={server} isShown={!isNarrow || shown === SERVER} />
        {otherPane}
      </main>
    </div>
  );
}

function leadOf({ people, isGuest }: Room): string {
  const names = people.map(({ name }) => name).join(' and ');
  return isGuest
    ? `You are ${names}, invited from another browser: this page encrypts and decrypts, and all that the server sees of each message is ciphertext.`
    : `${names} write to each other, each on a device of their own in this page, end-to-end encrypted: all that the server between them sees of each message is ciphertext.`;
}

function withConversation(all: readonly Conversation[], one: Conversation): Conversation[] {
  const isKnown = all.some(({ conversationId }) => conversationId === one.conversationId);
  return isKnown
    ? all.map((each) => (each.conversationId === one.conversationId ? one : each))
    : [...all, one];
}
