import { existsSync } from 'node:fs';
import type { RunUrls } from './run-file.ts';

/** What a newcomer reads once everything is up: what to open, and what to type next. */
export function readyText(urls: RunUrls, options: { logFile: string; consoleLink: string }): string {
  const { logFile, consoleLink } = options;
  // In a clone the command stands at its root, elsewhere it is an installed package's.
  const sanctum = existsSync('sanctum') ? './sanctum' : 'npx sanctum';
  return `
Sanctum Messaging is ready.

  open   ${urls.http}/demo      two people chat, encrypted, and what the server sees of it
         ${urls.http}/docs      the HTTP and WebSocket interface
         ${urls.http}/metrics   what is going on, in figures
         the operator's console:
         ${consoleLink}
  data   PostgreSQL  ${urls.postgres}
         Redis       ${urls.redis}
  log    ${logFile}

Now, in a second terminal, make a key that Alice and Bob share, and see what Bob receives:

  node -p 'crypto.randomBytes(32).toString("base64")' > chat.key
  ${sanctum} tail --all --as bob --key-file chat.key

and in a third one let Alice open a conversation and send him something encrypted:

  ${sanctum} send --as alice --create --member bob --key-file chat.key --text 'Hello, Bob.'

or, by hand:

  TOKEN=$(${sanctum} token --sub alice)
  curl ${urls.http}/v1/conversations -H "Authorization: Bearer $TOKEN" \\
       -H 'Content-Type: application/json' -d '{"members": ["bob"]}'

docs/quick-start.md goes on from here: an encrypted chat in Node and in the browser.
Ctrl-C stops all of it; the data stays in .sanctum/.
`;
}
