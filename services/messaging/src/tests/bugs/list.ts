import type { Bug } from './bug.ts';
import { DISPATCHER_BUGS } from './dispatcher-bugs.ts';
import { FAN_OUT_BUGS } from './fan-out-bugs.ts';
import { INTAKE_BUGS } from './intake-bugs.ts';
import { READER_BUGS } from './reader-bugs.ts';
import { SERVER_BUGS } from './server-bugs.ts';
import { SESSION_BUGS } from './session-bugs.ts';

/** Every bug, in the order in which a message would meet it. */
export const BUGS: readonly Bug[] = [
  ...INTAKE_BUGS,
  ...SERVER_BUGS,
  ...DISPATCHER_BUGS,
  ...FAN_OUT_BUGS,
  ...READER_BUGS,
  ...SESSION_BUGS,
];
