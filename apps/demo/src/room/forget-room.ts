import { forgetKept, type Room } from './room.ts';

/** Deletes what this browser keeps of a room: names, keys and messages. The server keeps its ciphertext. */
export async function forgetRoom({ people, isGuest }: Room): Promise<void> {
  if (!isGuest) forgetKept();
  await Promise.all(people.map(({ userId }) => deleteDatabase(`sanctum:${userId}`)));
}

function deleteDatabase(name: string): Promise<void> {
  return new Promise((resolve) => {
    const request = indexedDB.deleteDatabase(name);
    // Where something still has it open it goes as soon as that is closed.
    for (const event of ['success', 'error', 'blocked']) request.addEventListener(event, () => resolve());
  });
}
