import { GROUP } from './sim-stages.ts';
import type { SimClient } from './sim-client.ts';
import type { SimWorld } from './sim-world.ts';

/** What still has to happen until everybody has everything, in words. */
export function unsettled(world: SimWorld): string[] {
  const left: string[] = [];
  const { users, redis, clients } = world;
  if (users.underWay > 0) left.push(`${users.underWay} calls of users are under way`);
  const entries = redis.unsettled(GROUP);
  if (entries > 0) left.push(`${entries} entries of the stream are not read, or not acknowledged`);
  left.push(...pendingRows(world));
  for (const client of clients) left.push(...behind(world, client));
  return left;
}

function pendingRows({ log, scenario }: SimWorld): string[] {
  return scenario.conversations.flatMap(({ id }) =>
    [...log.conversation(id)!.messages.values()]
      .filter((row) => row.status === 'pending')
      .map((row) => `${id} ${row.seq} is pending, after ${row.attempts} attempts`),
  );
}

function behind({ log, scenario }: SimWorld, client: SimClient): string[] {
  if (client.connection?.socket.isOpen !== true) return [`${client.id} is not connected`];
  return scenario.conversations.flatMap(({ id }) => {
    const conversation = log.conversation(id)!;
    const member = conversation.members.get(client.userId);
    const isMember = member !== undefined && member.leftSeq === undefined;
    const should = isMember ? conversation.lastSeq : undefined;
    const is = client.book.cursorOf(id);
    return is === should ? [] : [`${client.id} is at ${is} of ${id} and should be at ${should}`];
  });
}
