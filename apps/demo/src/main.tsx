import { render } from 'preact';
import { App } from './app.tsx';
import { invitedRoom } from './room/invitation.ts';
import { loadRoom } from './room/room.ts';
import { forgetRoom } from './room/forget-room.ts';

const root = document.getElementById('demo')!;

// Another invitation in the same tab is another person's.
addEventListener('hashchange', () => location.reload());

if (!isSecureContext) {
  const address = `http://127.0.0.1:${location.port}/demo`;
  render(
    <p class="insecure">
      Browsers encrypt only in pages from <code>https:</code> addresses or from their own machine. If the
      service runs on this machine: <a href={address}>{address}</a>
    </p>,
    root,
  );
} else start();

function start(): void {
  const room = invitedRoom(location.hash) ?? loadRoom();
  render(
    <App
      first={room}
      startOver={() => {
        // Ends the devices, which hold their storages.
        render(null, root);
        void forgetRoom(room).then(() => location.reload());
      }}
    />,
    root,
  );
}
