import type { Job, JobEstimate, ReplayBody } from '@sanctum/protocol/admin';
import { useRef, useState } from 'preact/hooks';
import { counted, timeText } from '../format.ts';
import { EstimateText } from '../jobs/estimate-text.tsx';
import { ApiError } from '../server/api-error.ts';
import { Confirm } from '../ui/confirm.tsx';
import { useConsole } from '../ui/context.ts';
import { inWords } from '../ui/hooks.ts';
import { Notice, Panel } from '../ui/panel.tsx';
import type { ViewProps } from '../views.ts';

const HOUR_MS = 3_600_000;
const PRESETS = [
  { label: '1 hour ago', ms: HOUR_MS },
  { label: '6 hours ago', ms: 6 * HOUR_MS },
  { label: '24 hours ago', ms: 24 * HOUR_MS },
] as const;

/** A text, not the browser's own picker: times are pasted from logs, and are UTC. */
const TIME_FIELD = {
  pattern: '\\s*\\d{4}-\\d\\d-\\d\\d[ T]\\d\\d:\\d\\d(:\\d\\d(\\.\\d{1,3})?)?Z?\\s*',
  title: 'A time in UTC, as in 2026-11-25 19:16:36',
  autocomplete: 'off',
  spellcheck: false,
} as const;

/** Sends a conversation's messages again. First what it would touch; only then can it be started. */
export function ReplayView({ query }: ViewProps) {
  const { api, watchJobs } = useConsole();
  const [conversation, setConversation] = useState(query.get('conversation') ?? '');
  const [since, setSince] = useState(() => inputTime(Date.now() - HOUR_MS));
  const [until, setUntil] = useState('');
  const [tried, setTried] = useState<{ body: ReplayBody; estimate: JobEstimate }>();
  const [error, setError] = useState<ApiError>();
  const [busy, setBusy] = useState(false);
  const [asking, setAsking] = useState(false);
  /** Raised by every question and by every change of the form: what is answered later belongs to another form. */
  const turn = useRef(0);
  const begin = (): number => {
    // Figures of another question must not stand beside this one's button.
    setTried(undefined);
    setError(undefined);
    turn.current += 1;
    return turn.current;
  };
  const changed = (change: () => void): void => {
    change();
    begin();
    setBusy(false);
  };
  const tryIt = async (event: Event): Promise<void> => {
    event.preventDefault();
    const mine = begin();
    setBusy(true);
    try {
      const body: ReplayBody = {
        conversation_id: conversation.trim().toLowerCase(),
        since: apiTime(since),
        ...(until.trim() === '' ? {} : { until: apiTime(until) }),
      };
      const estimate = await api.send<JobEstimate>('POST', 'replays', { ...body, dry_run: true });
      // What is sent while the question stands was not counted, and is not to be replayed.
      const { until: countedUntil } = estimate;
      if (turn.current === mine)
        setTried({ body: countedUntil === undefined ? body : { ...body, until: countedUntil }, estimate });
    } catch (failure) {
      if (turn.current === mine) setError(inWords(failure));
    }
    if (turn.current === mine) setBusy(false);
  };
  return (
    <Panel
      title="Send a conversation’s messages again"
      note="Connected members get them once more, with the same ids and places; their clients drop what they have."
    >
      <form class="form" onSubmit={(event) => void tryIt(event)}>
        <label class="field wide">
          <span>Conversation</span>
          <input
            name="conversation"
            required
            pattern="\s*[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\s*"
            title="A conversation’s id: 36 characters, as in aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"
            spellcheck={false}
            value={conversation}
            onInput={(event) => changed(() => setConversation(event.currentTarget.value))}
          />
        </label>
        <label class="field">
          <span>Accepted since (UTC)</span>
          <input
            {...TIME_FIELD}
            name="since"
            required
            value={since}
            onInput={(event) => changed(() => setSince(event.currentTarget.value))}
          />
        </label>
        <label class="field">
          <span>Until (UTC)</span>
          <input
            {...TIME_FIELD}
            name="until"
            placeholder="now"
            value={until}
            onInput={(event) => changed(() => setUntil(event.currentTarget.value))}
          />
        </label>
        <div class="choice" role="group" aria-label="Since">
          {PRESETS.map(({ label, ms }) => (
            <button
              key={label}
              type="button"
              onClick={() => changed(() => setSince(inputTime(Date.now() - ms)))}
            >
              {label}
            </button>
          ))}
        </div>
        <div class="form-actions">
          <button type="submit" class="primary" disabled={busy}>
            {busy ? 'Counting…' : 'Dry run'}
          </button>
          <span class="note">A dry run changes nothing.</span>
        </div>
      </form>
      <div class="outcome" aria-live="polite">
        {error === undefined ? null : <Notice sign="bad">{error.message}</Notice>}
        {tried === undefined ? null : (
          <>
            <EstimateText estimate={tried.estimate} />
            {tried.estimate.messages === 0 ? null : (
              <button type="button" class="danger" onClick={() => setAsking(true)}>
                Replay {counted(tried.estimate.messages, 'message')}…
              </button>
            )}
          </>
        )}
      </div>
      {tried === undefined || !asking ? null : (
        <Confirm
          title="Replay this conversation?"
          action={`Replay ${counted(tried.estimate.messages, 'message')}`}
          danger
          reason="optional"
          act={async (reason) => {
            await api.send<Job>('POST', 'replays', { ...tried.body, reason });
            setTried(undefined);
            watchJobs();
          }}
          close={() => setAsking(false)}
        >
          <p>
            Of <code>{tried.body.conversation_id}</code>, accepted since {timeText(tried.body.since)} UTC
            {tried.body.until === undefined ? '' : ` and until ${timeText(tried.body.until)} UTC`}.
          </p>
          <EstimateText estimate={tried.estimate} />
        </Confirm>
      )}
    </Panel>
  );
}

/** As the fields hold it, and the logs, but for their `T` and `Z`: `2026-11-25 19:16:36`. */
function inputTime(ms: number): string {
  return timeText(new Date(ms).toISOString());
}

/** The API's time of such a field. @throws ApiError where there is no such moment, as on a 31 April. */
function apiTime(input: string): string {
  const text = input.trim().replace(' ', 'T');
  const ms = Date.parse(text.endsWith('Z') ? text : `${text}Z`);
  // `Date` makes the 1st of May of it.
  if (Number.isNaN(ms) || new Date(ms).getUTCDate() !== Number(text.slice(8, 10)))
    throw new ApiError('page', `There is no such time: ${input}`);
  return new Date(ms).toISOString();
}
