import { useState } from 'preact/hooks';

/** Going through pages by their cursors; the way back is remembered here. */
export function usePages(): Pages {
  const [before, setBefore] = useState<readonly (string | undefined)[]>([undefined]);
  return {
    cursor: before.at(-1),
    number: before.length,
    next: (cursor) => setBefore([...before, cursor]),
    back: () => setBefore(before.slice(0, -1)),
    first: () => setBefore([undefined]),
  };
}

export interface Pages {
  readonly cursor: string | undefined;
  readonly number: number;
  next(cursor: string): void;
  back(): void;
  first(): void;
}

export function PageButtons({ pages, nextCursor }: { pages: Pages; nextCursor: string | null }) {
  if (pages.number === 1 && nextCursor === null) return null;
  return (
    <nav class="pages" aria-label="Pages">
      <button type="button" disabled={pages.number === 1} onClick={() => pages.back()}>
        Newer
      </button>
      <span>Page {pages.number}</span>
      <button
        type="button"
        disabled={nextCursor === null}
        onClick={() => nextCursor !== null && pages.next(nextCursor)}
      >
        Older
      </button>
    </nav>
  );
}
