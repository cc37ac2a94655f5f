/*
 * What a pod of version 0.1.0 takes from the stream and from the bus, written down once and not to be changed with
 * the code: it stands for pods that run somewhere. When a version is no longer supported, its file goes.
 */

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const INTEGER = /^(?:0|[1-9]\d*)$/;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

const FIELDS: Readonly<Record<string, (text: string) => boolean>> = {
  v: (text) => text === '1',
  epoch: isInteger,
  event_id: (text) => UUID.test(text),
  message_id: (text) => UUID.test(text),
  conversation_id: (text) => UUID.test(text),
  seq: (text) => isInteger(text) && text !== '0',
  event_type: (text) => text.length > 0,
  occurred_at: (text) => TIME.test(text),
  members_version: isInteger,
  replay: isInteger,
  resent: (text) => text === '0' || text === '1',
  payload: isJson,
};

/** The fields that it knows; `undefined`: it would go to `message_dlq`. */
export function readEntry(flat: readonly string[]): Record<string, string> | undefined {
  const fields: Record<string, string> = {};
  for (let i = 0; i + 1 < flat.length; i += 2) {
    const name = flat[i] as string;
    if (Object.hasOwn(FIELDS, name)) fields[name] = flat[i + 1] as string;
  }
  const fits = Object.entries(FIELDS).every(([name, takes]) => takes(fields[name] ?? ''));
  return fits ? fields : undefined;
}

/** Its numbers, and the frame for the sockets; `undefined`: it would be dropped, and the hole read from Postgres. */
export function readBusFrame(bytes: Buffer): { numbers: number[]; json: string } | undefined {
  const end = bytes.indexOf('\n');
  const [version, ...texts] = bytes.toString('latin1', 0, Math.max(0, end)).split(' ');
  const json = bytes.toString('utf8', end + 1);
  if (version !== '1' || texts.length < 5 || !texts.every(isInteger)) return undefined;
  if (end > 256 || !json.startsWith('{"type":"message",') || !json.endsWith('}')) return undefined;
  return { numbers: texts.slice(0, 5).map(Number), json };
}

/** The buckets that it would look at. */
export function readWake(bytes: Buffer): number[] {
  const texts = bytes.toString('latin1', 0, 256).split(',');
  return texts.filter((text) => /^\d{1,2}$/.test(text) && Number(text) < 64).map(Number);
}

function isInteger(text: string): boolean {
  return INTEGER.test(text) && Number.isSafeInteger(Number(text));
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
