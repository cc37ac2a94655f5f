import type { Trace } from '@sanctum/protocol/admin';
import { counted, durationText, NOTHING, timeText } from '../format.ts';
import type { Sign } from '../ui/icon.tsx';

export interface TraceStep {
  readonly name: string;
  readonly sign: Sign;
  readonly state: string;
  readonly detail: string;
}

/** A trace as the steps of the pipeline, each with what is known of it. */
export function traceSteps(trace: Trace): TraceStep[] {
  return [
    { name: 'Accepted', sign: 'ok', state: 'committed', detail: `${timeText(trace.accepted.at)} UTC` },
    dispatched(trace),
    ...onStream(trace),
    delivered(trace),
  ];
}

function dispatched({ dispatch, accepted }: Trace): TraceStep {
  const name = 'Dispatched';
  const tries = dispatch.attempts === 0 ? '' : `, ${counted(dispatch.attempts, 'failed attempt')}`;
  const error = dispatch.last_error === null ? '' : `: ${dispatch.last_error}`;
  if (dispatch.status === 'dead')
    return { name, sign: 'bad', state: 'given up', detail: `dead${tries}${error}` };
  if (dispatch.status === 'pending') {
    const next =
      dispatch.next_attempt_at === null ? '' : `, next attempt at ${timeText(dispatch.next_attempt_at)} UTC`;
    return { name, sign: 'waiting', state: 'waits', detail: `pending${tries}${error}${next}` };
  }
  const replays = dispatch.replay_no === 0 ? '' : `, ${counted(dispatch.replay_no, 'replay')}`;
  const took =
    dispatch.at === null
      ? NOTHING
      : `${durationText((Date.parse(dispatch.at) - Date.parse(accepted.at)) / 1000)} later`;
  return { name, sign: 'ok', state: 'sent to the stream', detail: `${took}${replays}` };
}

function onStream({ stream, dispatch }: Trace): TraceStep[] {
  const name = 'Read and published';
  if (stream === null) return [{ name, sign: 'warn', state: 'unknown', detail: 'Redis cannot be asked' }];
  const entry = stream.entry_id === null ? '' : `entry ${stream.entry_id}`;
  if (stream.state === 'not_sent') {
    return [{ name, sign: dispatch.status === 'dead' ? 'off' : 'waiting', state: 'not yet', detail: '' }];
  }
  if (stream.state === 'gone')
    return [{ name, sign: 'ok', state: 'no longer on the stream', detail: 'trimmed, or lost by Redis' }];
  if (stream.state === 'too_many')
    return [{ name, sign: 'off', state: 'not looked for', detail: 'too many entries stand between' }];
  if (stream.published === true) return [{ name, sign: 'ok', state: 'by a consumer', detail: entry }];
  if (stream.pending_with !== null)
    return [{ name, sign: 'waiting', state: `with ${stream.pending_with}, unacknowledged`, detail: entry }];
  return [{ name, sign: 'waiting', state: 'not read by a consumer yet', detail: entry }];
}

function delivered({ readers_past, readers_total }: Trace): TraceStep {
  const name = 'With connected members';
  if (readers_total === 0) return { name, sign: 'off', state: 'nobody is connected', detail: '' };
  const all = readers_past === readers_total;
  const detail = `${readers_past} of ${counted(readers_total, 'connection')} past it`;
  return { name, sign: all ? 'ok' : 'waiting', state: all ? 'all of them' : 'not all yet', detail };
}
