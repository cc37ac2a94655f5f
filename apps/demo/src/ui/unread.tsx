/** A number that is not drawn at 0. */
export function Unread({ count }: { count: number }) {
  if (count === 0) return null;
  return (
    <span class="unread">
      {count > 999 ? '999+' : count}
      <span class="unseen"> unread</span>
    </span>
  );
}
