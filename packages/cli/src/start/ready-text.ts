import type { RunUrls } from './run-file.ts';

/** What a newcomer reads once everything is up: what to open, and what to type next. */
export function readyText(urls: RunUrls, logFile: string): string {
  return `
Sanctum Messaging is ready.

  open   ${urls.http}/docs    the HTTP and WebSocket interface
         ${urls.admin}         the operator's side
  data   PostgreSQL ${urls.postgres}
         Redis      ${urls.redis}
  log    ${logFile}

Send a first message; in another terminal:

  export TOKEN=$(npx sanctum token alice)
  curl -X POST ${urls.http}/v1/conversations -H "authorization: Bearer $TOKEN" \\
       -H 'content-type: application/json' -d '{"members": ["alice", "bob"]}'

  npx sanctum tail --user bob                       (in a third: what Bob's devices receive)
  npx sanctum send CONVERSATION_ID 'hello' --user alice

Ctrl-C stops all of it; the data stays in .sanctum/.
`;
}
