import { useRef, useState } from 'preact/hooks';
import { type Conversation, newConversation, type Person } from '../room/room.ts';

/** A conversation with everybody in this page. */
export function NewConversationDialog({
  owner,
  onMade,
}: {
  owner: Person;
  onMade: (made: Conversation) => void;
}) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [title, setTitle] = useState('');
  const submit = (event: Event): void => {
    event.preventDefault();
    onMade(newConversation(title.trim(), owner.userId));
    setTitle('');
    dialog.current?.close();
  };
  return (
    <>
      <button type="button" onClick={() => dialog.current?.showModal()}>
        New…
      </button>
      <dialog ref={dialog} aria-label="New conversation">
        <form onSubmit={submit}>
          <h2>New conversation</h2>
          <label class="field">
            <span>Its name</span>
            <input
              value={title}
              maxLength={40}
              required
              onInput={(event) => setTitle(event.currentTarget.value)}
            />
            <small>It gets a key of its own. Neither name nor key leaves this page.</small>
          </label>
          <div class="dialog-actions">
            <button type="button" onClick={() => dialog.current?.close()}>
              Cancel
            </button>
            <button type="submit" class="primary" disabled={title.trim() === ''}>
              Create
            </button>
          </div>
        </form>
      </dialog>
    </>
  );
}
