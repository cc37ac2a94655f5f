import type { Me } from '@sanctum/protocol/admin';
import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import type { Live } from '../pipeline/use-live-pipeline.ts';
import type { Api } from '../server/api.ts';

/** What every view may use. */
export interface ConsoleContext {
  readonly api: Api;
  readonly me: Me;
  readonly live: Live;
  /** Shows a job's progress at the foot of whatever view is open. */
  readonly watchJobs: () => void;
  /** How many jobs have ended: what they change is to be read again when this grows. */
  readonly jobsEnded: number;
}

export const ConsoleContext = createContext<ConsoleContext | undefined>(undefined);

export function useConsole(): ConsoleContext {
  const context = useContext(ConsoleContext);
  if (context === undefined) throw new Error('a view outside of the console');
  return context;
}
