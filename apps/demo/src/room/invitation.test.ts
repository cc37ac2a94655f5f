import { expect, it } from 'vitest';
import { invitationLink, invitedRoom } from './invitation.ts';
import { newConversation, newPerson } from './room.ts';

it('a link makes the room that it invites to', () => {
  const guest = newPerson('Zoë');
  const conversation = newConversation('Über den Berg', 'demo-ada');
  const link = new URL(invitationLink('http://127.0.0.1:8083/demo', guest, conversation));
  expect(link.pathname + link.search).toBe('/demo');
  expect(invitedRoom(link.hash)).toEqual({
    people: [guest],
    conversations: [{ ...conversation, isCreated: true }],
    isGuest: true,
  });
});

it.each(['', '#', '#invite=', '#invite=%%%', '#invite=e30', '#invite=bnVsbA', '#other'])(
  '%j invites nobody',
  (hash) => expect(invitedRoom(hash)).toBeUndefined(),
);
