/** What the admin API's specification shows; each is checked against its schema by a test. */

const CONVERSATION = '3f0f4a3e-5a0b-4f7e-9a53-0d9a5c6f2b11';

export const requeueBody = { kind: 'row', cause: 'too_large', dry_run: true };
export const replayBody = {
  conversation_id: CONVERSATION,
  since: '2026-01-31T09:00:00.000Z',
  until: '2026-01-31T09:30:00.000Z',
  dry_run: true,
  reason: 'a client lost its storage',
};
export const putControl = {
  stage: 'dispatcher',
  paused: true,
  reason: 'Redis is being moved',
  expires_in_seconds: 900,
};
export const revocationBody = { user_id: 'mallory', reason: 'the device was stolen' };
