import { render } from 'preact';
import { App } from './app.tsx';
import { invitedRoom } from './room/invitation.ts';
import { loadRoom } from './room/room.ts';
import { forgetRoom } from './room/forget-room.ts';

const root = document.getElementById('demo')!;
const room = invitedRoom(location.hash) ?? loadRoom();

// Another invitation in the same tab is another person's.
addEventListener('hashchange', () => location.reload());

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
