import type { HelloEvent } from '../client-events.ts';
import type { Judge } from '../judge.ts';
import type { Connection, Reader } from '../model.ts';

/** The furthest that a device has been in a conversation, in the newest epoch in which it was there. */
interface Furthest {
  epoch: number;
  seq: number;
}

/** A device comes back with what it had, over all its connections, and with no more: else it loses what lies between. */
export const resumedAhead: Judge = {
  check: 'resumed_ahead',
  begin(run, report) {
    const devices = new Map<string, Map<string, Furthest>>();
    const open = new Map<string, Set<Connection>>();
    /** Where a reader stands, before it goes elsewhere. */
    const note = ({ connection, conversation, cursor }: Reader): void => {
      if (cursor === undefined) return;
      const { client } = connection.connect;
      const places = devices.get(client) ?? new Map<string, Furthest>();
      devices.set(client, places);
      const known = places.get(conversation.id);
      if (known === undefined || known.epoch < connection.epoch)
        places.set(conversation.id, { epoch: connection.epoch, seq: cursor });
      else if (known.epoch === connection.epoch) known.seq = Math.max(known.seq, cursor);
    };
    const noteAll = ({ readers }: Connection): void => {
      for (const reader of readers.values()) note(reader);
    };
    return {
      hello(hello) {
        const connection = run.connection(hello.connection);
        const { client } = connection.connect;
        const others = open.get(client) ?? new Set();
        for (const other of others) noteAll(other);
        open.set(client, others.add(connection));
        const places = devices.get(client);
        // Where a device that was never seen before has its cursors from, nobody knows.
        if (places === undefined) return;
        for (const [conversationId, had, seq] of aheadOf(hello, places)) {
          const text = `${client} had up to ${had}, and came back with ${seq}`;
          report({ at: hello.at, connection: hello.connection, conversationId, text });
        }
      },
      member: (_event, reader) => note(reader),
      subscribed: (_event, reader) => note(reader),
      reset: ({ connection }) => noteAll(run.connection(connection)),
      close({ connection: id }) {
        const connection = run.connection(id);
        noteAll(connection);
        open.get(connection.connect.client)?.delete(connection);
      },
    };
  },
};

/** The cursors that lie above what the device was ever brought to, in the same epoch. */
function* aheadOf(
  { epoch, cursors = [] }: HelloEvent,
  places: ReadonlyMap<string, Furthest>,
): Generator<[conversationId: string, had: number, seq: number]> {
  for (const [conversationId, seq] of cursors) {
    const had = places.get(conversationId);
    if (had !== undefined && had.epoch === epoch && seq > had.seq) yield [conversationId, had.seq, seq];
  }
}
