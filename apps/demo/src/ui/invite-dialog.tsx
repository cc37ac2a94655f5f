import { useRef, useState } from 'preact/hooks';
import type { Question } from '../device/device-messages.ts';
import { invitationLink } from '../room/invitation.ts';
import { type Conversation, newPerson } from '../room/room.ts';

interface InviteProps {
  readonly conversation: Conversation;
  readonly ask: (question: Question) => Promise<void>;
}

/** Brings somebody in from another browser. */
export function InviteDialog({ conversation, ask }: InviteProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [name, setName] = useState('Cleo');
  const [link, setLink] = useState<string>();
  const [error, setError] = useState<string>();
  const [isCopied, setIsCopied] = useState(false);
  const show = (): void => {
    setLink(undefined);
    setError(undefined);
    setIsCopied(false);
    dialog.current?.showModal();
  };
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    const guest = newPerson(name.trim());
    try {
      await ask({ kind: 'add', conversationId: conversation.conversationId, userId: guest.userId });
      setError(undefined);
      setLink(invitationLink(location.origin + location.pathname, guest, conversation));
    } catch (cause) {
      setError((cause as Error).message);
    }
  };
  return (
    <>
      <button type="button" disabled={!conversation.isCreated} onClick={show}>
        Invite…
      </button>
      <dialog ref={dialog} aria-label={`Invite to ${conversation.title}`}>
        <form onSubmit={(event) => void submit(event)}>
          <h2>Invite to {conversation.title}</h2>
          {link === undefined ? (
            <label class="field">
              <span>Name of the guest</span>
              <input
                value={name}
                maxLength={40}
                required
                onInput={(event) => setName(event.currentTarget.value)}
              />
              <small>They read what is written from now on.</small>
            </label>
          ) : (
            <label class="field">
              <span>Link for {name.trim()}, to be opened in another browser</span>
              <input readOnly value={link} onFocus={(event) => event.currentTarget.select()} />
              <small>
                The key stands behind the <code>#</code>, which browsers send to no server. Whoever has the
                link has the key.
              </small>
            </label>
          )}
          {error === undefined ? null : <p class="trouble">{error}</p>}
          <div class="dialog-actions">
            <button type="button" onClick={() => dialog.current?.close()}>
              {link === undefined ? 'Cancel' : 'Close'}
            </button>
            {link === undefined ? (
              <button type="submit" class="primary" disabled={name.trim() === ''}>
                Make a link
              </button>
            ) : (
              <button
                type="button"
                class="primary"
                onClick={() => void navigator.clipboard.writeText(link).then(() => setIsCopied(true))}
              >
                {isCopied ? 'Copied' : 'Copy'}
              </button>
            )}
          </div>
        </form>
      </dialog>
    </>
  );
}
