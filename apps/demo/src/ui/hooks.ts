import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';

/** So near to its end a log follows what comes. */
const NEAR_PX = 80;

const NARROW = '(max-width: 859px)';

/** Whether only one pane has room. */
export function useNarrow(): boolean {
  const [isNarrow, setIsNarrow] = useState(() => matchMedia(NARROW).matches);
  useLayoutEffect(() => {
    const query = matchMedia(NARROW);
    const look = () => setIsNarrow(query.matches);
    query.addEventListener('change', look);
    return () => query.removeEventListener('change', look);
  }, []);
  return isNarrow;
}

/** Whether somebody may be looking at the page. */
export function usePageVisible(): boolean {
  const [isVisible, setIsVisible] = useState(() => !document.hidden);
  useLayoutEffect(() => {
    const look = () => setIsVisible(!document.hidden);
    document.addEventListener('visibilitychange', look);
    return () => document.removeEventListener('visibilitychange', look);
  }, []);
  return isVisible;
}

/**
 * Keeps a log at its end while `last` changes, and while its size does: a keyboard takes some of it, and a pane that
 * was hidden has lost its place. Not where somebody has scrolled back.
 */
export function useFollowing(last: string | undefined) {
  const ref = useRef<HTMLDivElement>(null);
  const follows = useRef(true);
  const follow = (): void => {
    const { current: box } = ref;
    if (box !== null && follows.current) box.scrollTop = box.scrollHeight;
  };
  useLayoutEffect(follow, [last]);
  useEffect(() => {
    const sizes = new ResizeObserver(follow);
    sizes.observe(ref.current!);
    return () => sizes.disconnect();
  }, []);
  const onScroll = (event: Event): void => {
    const box = event.currentTarget as HTMLDivElement;
    follows.current = box.scrollHeight - box.scrollTop - box.clientHeight < NEAR_PX;
  };
  return { ref, onScroll };
}
