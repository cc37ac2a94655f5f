import { useCallback, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { Conversation, Person } from '../room/room.ts';
import type { Question, Report } from './device-messages.ts';
import { DeviceProcess } from './device-process.ts';
import { applyReports, type DeviceView, NEW_DEVICE } from './device-view.ts';

export interface DeviceControl {
  readonly person: Person;
  readonly view: DeviceView;
  /** Whether its network is switched on. */
  readonly isOnline: boolean;
  readonly send: (conversationId: string, texts: readonly string[]) => void;
  readonly read: (conversationId: string, seq: number) => void;
  readonly ask: (question: Question) => Promise<void>;
  readonly setOnline: (online: boolean) => void;
  readonly kill: () => void;
  readonly start: () => void;
}

/** A person's device: runs from the first view on, and is given every key of the room. */
export function useDevice(
  person: Person,
  conversations: readonly Conversation[],
  onReports: (reports: readonly Report[]) => void,
): DeviceControl {
  const [view, setView] = useState(NEW_DEVICE);
  const [isOnline, setIsOnline] = useState(true);
  const [runs, setRuns] = useState(1);
  const process = useRef<DeviceProcess | undefined>(undefined);
  const known = useRef(new Set<string>());
  const now = useRef({ conversations, isOnline });
  now.current = { conversations, isOnline };

  // Both before they are seen: what is written then reaches a device that knows the key.
  useLayoutEffect(() => {
    setView(NEW_DEVICE);
    const device = new DeviceProcess((reports) => {
      setView((before) => (before.status === 'killed' ? before : applyReports(before, reports)));
      onReports(reports);
    });
    process.current = device;
    const { conversations: keys, isOnline: online } = now.current;
    known.current = new Set(keys.map(({ conversationId }) => conversationId));
    const options = { ...person, url: location.origin, online, keys };
    device.tell({ kind: 'start', options });
    return () => device.kill();
  }, [person, runs, onReports]);

  useLayoutEffect(() => {
    for (const key of conversations) {
      if (known.current.has(key.conversationId)) continue;
      known.current.add(key.conversationId);
      process.current?.tell({ kind: 'learn', key });
    }
  }, [conversations]);

  return {
    person,
    view,
    isOnline,
    send: (conversationId, texts) => process.current?.tell({ kind: 'send', conversationId, texts }),
    read: useCallback(
      (conversationId, seq) => {
        process.current?.tell({ kind: 'read', conversationId, seq });
        // Here at once; the others hear of it by a receipt.
        const { userId, name } = person;
        const marks = { kind: 'marks', conversationId, userId, name, delivered: 0, read: seq } as const;
        setView((before) => applyReports(before, [marks]));
      },
      [person],
    ),
    ask: useCallback(async (question) => {
      if (process.current === undefined) throw new Error('the device was killed');
      return process.current.ask(question);
    }, []),
    setOnline: (online) => {
      setIsOnline(online);
      process.current?.tell({ kind: 'network', online });
    },
    kill: () => {
      process.current?.kill();
      process.current = undefined;
      setView({ ...NEW_DEVICE, status: 'killed' });
    },
    start: () => setRuns((before) => before + 1),
  };
}
