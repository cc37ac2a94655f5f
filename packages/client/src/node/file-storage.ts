import { mkdir, open, readFile, rename, rm, type FileHandle } from 'node:fs/promises';
import { dirname, resolve as absolute } from 'node:path';
import { SanctumError, sanctumError } from '../sanctum-error.ts';
import { BufferedTransaction, type Write } from '../storage/buffered-transaction.ts';
import type { Storage } from '../storage/storage.ts';
import { lockFile } from './file-lock.ts';
import { encodeRecord, encodeWrites, HEADER, readLog } from './log-records.ts';

/** A log that is longer, and mostly of the past, is written anew. */
const COMPACT_ABOVE_BYTES = 1024 * 1024;
const COMPACT_RATIO = 4;

interface Waiting {
  /** Its writes. */
  readonly json: string;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/**
 * A storage in one file, for one process at a time: a log of transactions, each of them one line with its checksum,
 * forced to the disk before it is confirmed. A crash at any moment leaves what was confirmed. Now and then the log
 * is written anew into a second file, which takes the place of the first.
 *
 * @param path as `./alice.sanctum`; missing folders are made
 * @throws SanctumError `storage_failed` where another process has it open, or it is damaged
 */
export async function fileStorage(path: string): Promise<Storage> {
  const file = absolute(path);
  await mkdir(dirname(file), { recursive: true });
  const release = await lockFile(`${file}.lock`);
  try {
    return await FileStorage.open(file, release);
  } catch (error) {
    await release();
    throw sanctumError(error, 'storage_failed', `${path} cannot be opened: ${(error as Error).message}`);
  }
}

class FileStorage implements Storage {
  readonly #path: string;
  readonly #release: () => Promise<void>;
  readonly #stored: Map<string, unknown>;
  #handle: FileHandle;
  #length: number;
  /** Where it is looked at whether to write the log anew. */
  #compactAbove = COMPACT_ABOVE_BYTES;
  #waiting: Waiting[] = [];
  #writing: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  /** Why nothing can be stored any more. */
  #failure: SanctumError | undefined;

  private constructor(
    path: string,
    release: () => Promise<void>,
    log: { stored: Map<string, unknown>; length: number; handle: FileHandle },
  ) {
    this.#path = path;
    this.#release = release;
    this.#stored = log.stored;
    this.#length = log.length;
    this.#handle = log.handle;
  }

  static async open(path: string, release: () => Promise<void>): Promise<FileStorage> {
    const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
      return undefined;
    });
    if (bytes === undefined) {
      await (await replace(path, HEADER)).close();
      await syncFolder(path);
    }
    const { stored, length } = readLog(bytes ?? Buffer.from(HEADER));
    const handle = await open(path, 'r+');
    await handle.truncate(length);
    return new FileStorage(path, release, { stored, length, handle });
  }

  async entries(prefix: string): Promise<[string, unknown][]> {
    const found = [...this.#stored].filter(([key]) => key.startsWith(prefix));
    // Copies, so that nobody changes a stored value by holding on to it.
    return found.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, value]) => [key, structuredClone(value)]);
  }

  async transaction(work: (tx: BufferedTransaction) => void | Promise<void>): Promise<void> {
    const tx = new BufferedTransaction();
    await tx.run(work);
    // Here, so that what cannot be written fails alone.
    const json = encodeWrites(tx.finish());
    if (this.#failure) throw this.#failure;
    return new Promise((resolve, reject) => {
      this.#waiting.push({ json, resolve, reject });
      this.#writing ??= this.#write().finally(() => (this.#writing = undefined));
    });
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  async #close(): Promise<void> {
    this.#failure = new SanctumError('closed', 'the storage was closed');
    await this.#writing;
    await this.#handle.close();
    await this.#release();
  }

  /** What came while the disk was busy goes together: one write, one flush. */
  async #write(): Promise<void> {
    while (this.#waiting.length > 0) {
      const group = this.#waiting.splice(0);
      try {
        // Being closed is no failure: what was asked for before is written.
        if (this.#failure?.code === 'storage_failed') throw this.#failure;
        await this.#append(group);
        for (const { resolve: done } of group) done();
      } catch (cause) {
        const error = new SanctumError('storage_failed', `${this.#path} cannot be written`, { cause });
        for (const { reject } of group) reject(error);
      }
    }
  }

  async #append(group: readonly Waiting[]): Promise<void> {
    const record = encodeRecord(group.map(({ json }) => json));
    const bytes = Buffer.from(record);
    try {
      // A disk that is nearly full takes a part, and says so by the count alone.
      for (let at = 0; at < bytes.length;) {
        const { bytesWritten } = await this.#handle.write(bytes, at, bytes.length - at, this.#length + at);
        if (bytesWritten === 0) throw new Error('nothing was written');
        at += bytesWritten;
      }
      await this.#handle.datasync();
    } catch (error) {
      await this.#cutBack();
      throw error;
    }
    this.#length += bytes.length;
    // As it would be read again: not what somebody may still hold on to.
    for (const { json } of group) {
      for (const [key, value] of JSON.parse(json) as Write[]) {
        if (value === undefined) this.#stored.delete(key);
        else this.#stored.set(key, value);
      }
    }
    if (this.#length > this.#compactAbove) await this.#compact();
  }

  /** Half a record must not stand before the next one. */
  async #cutBack(): Promise<void> {
    try {
      await this.#handle.truncate(this.#length);
    } catch (cause) {
      this.#failure = new SanctumError('storage_failed', `${this.#path} is unusable`, { cause });
    }
  }

  /** Writes the log anew where most of it is past. Where that fails the old one stays in use. */
  async #compact(): Promise<void> {
    const log = HEADER + [...this.#stored].map((entry) => encodeRecord([encodeWrites([entry])])).join('');
    const length = Buffer.byteLength(log);
    // Not again with each transaction: to find out costs as much as to write it.
    this.#compactAbove = Math.max(COMPACT_ABOVE_BYTES, length * COMPACT_RATIO);
    if (this.#length < this.#compactAbove) return;
    let next: FileHandle;
    try {
      next = await replace(this.#path, log);
    } catch {
      this.#compactAbove = this.#length * 2;
      return;
    }
    // It has the name now, whatever happens next: what is written to the old one would be lost.
    const old = this.#handle;
    this.#handle = next;
    this.#length = length;
    await old.close().catch(() => undefined);
    await syncFolder(this.#path).catch((cause: unknown) => {
      this.#failure = new SanctumError('storage_failed', `${this.#path} is unusable`, { cause });
    });
  }
}

/**
 * Writes a file whole or not at all: into a second one, forced to the disk, which then takes its name.
 * @returns the file, open
 */
async function replace(path: string, content: string): Promise<FileHandle> {
  const temporary = `${path}.new`;
  const handle = await open(temporary, 'w', 0o600);
  try {
    await handle.writeFile(content);
    await handle.sync();
    await rename(temporary, path);
    return handle;
  } catch (error) {
    await handle.close();
    await rm(temporary, { force: true });
    throw error;
  }
}

/** A name is safe once its folder is on the disk. Windows has no such call, and needs none. */
async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const folder = await open(dirname(path), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
