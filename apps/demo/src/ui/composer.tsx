import { useId, useState } from 'preact/hooks';

const MANY = 500;

interface ComposerProps {
  /** Who writes. */
  readonly name: string;
  readonly title: string;
  readonly isReady: boolean;
  readonly onSend: (texts: readonly string[]) => void;
}

/** Where a message is written. Enter sends it. */
export function Composer({ name, title, isReady, onSend }: ComposerProps) {
  const [text, setText] = useState('');
  const id = useId();
  const submit = (event: Event): void => {
    event.preventDefault();
    if (text.trim() === '') return;
    onSend([text.trim()]);
    setText('');
  };
  return (
    <form class="composer" onSubmit={submit}>
      <label class="unseen" for={id}>
        {name} writes in {title}
      </label>
      <input
        id={id}
        value={text}
        placeholder={`Message as ${name}`}
        autocomplete="off"
        disabled={!isReady}
        onInput={(event) => setText(event.currentTarget.value)}
      />
      <button type="submit" class="primary" disabled={!isReady || text.trim() === ''}>
        Send
      </button>
      <button
        type="button"
        class="link many"
        disabled={!isReady}
        onClick={() => onSend(Array.from({ length: MANY }, (_, index) => `${index + 1} of ${MANY}`))}
      >
        Send {MANY} at once
      </button>
    </form>
  );
}
