import type { Judge } from '../judge.ts';
import { acceptedLost, acceptedSeq, idempotency } from './answers.ts';
import { logHole, postOrder, seenBeforeCommit } from './commits.ts';
import { credit } from './credit.ts';
import { resumedAhead } from './devices.ts';
import { gapCause } from './gap-cause.ts';
import { changedBytes, neverSent, oneAtTwoPlaces, twoAtOnePlace } from './identity.ts';
import { loss } from './loss.ts';
import { afterRemoval, nonMember } from './membership.ts';
import { aboveCursor, clientRule, silentGap, stepBack } from './order.ts';
import { closedForGood, refusedMember } from './refusals.ts';
import { replayLost } from './replays.ts';
import { resetCause } from './resets.ts';
import { outsiderPost } from './senders.ts';
import { settling } from './settling.ts';
import { streamLoss, streamOrder, undispatched } from './stream.ts';

/** Every judge. */
export const JUDGES: readonly Judge[] = [
  loss,
  settling,
  silentGap,
  stepBack,
  aboveCursor,
  clientRule,
  twoAtOnePlace,
  oneAtTwoPlaces,
  neverSent,
  changedBytes,
  seenBeforeCommit,
  postOrder,
  nonMember,
  afterRemoval,
  gapCause,
  resetCause,
  replayLost,
  credit,
  acceptedLost,
  acceptedSeq,
  idempotency,
  logHole,
  streamOrder,
  streamLoss,
  undispatched,
  outsiderPost,
  refusedMember,
  resumedAhead,
  closedForGood,
];
