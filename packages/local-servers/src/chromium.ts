import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Progress } from './cache.ts';
import { hasDebianPackages, libraryPath, unpackDebianPackages, wrapProgram } from './debian-packages.ts';
import { findOnPath } from './find-on-path.ts';
import { run } from './processes.ts';

/**
 * Path of a Chromium for the browser tests: the machine's own, else Debian's headless one, unpacked into
 * `.cache/` with its libraries and one family of fonts (about 100 MB to fetch, once).
 */
export async function ensureChromium(options: { progress: Progress }): Promise<string> {
  const found = findOnPath('chromium', 'google-chrome-stable', 'google-chrome', 'chromium-browser');
  // Ubuntu's package is a script that asks for a snap: on the PATH, and no browser.
  if (found !== undefined && (await runs(found))) return found;
  if (!hasDebianPackages()) {
    throw new Error('no Chromium is on this machine: install Chromium or Google Chrome and put it on PATH.');
  }
  const dir = await unpackDebianPackages({
    name: 'chromium',
    progress: options.progress,
    packages: () =>
      Promise.resolve([
        'chromium-headless-shell',
        'chromium-common',
        'fonts-liberation2',
        'fontconfig-config',
      ]),
  });
  return wrapProgram({
    name: 'chromium',
    program: path.join(dir, 'usr/lib/chromium/chromium-headless-shell'),
    libraries: await libraryPath(dir),
    env: { FONTCONFIG_FILE: await fontsFile(dir) },
  });
}

async function runs(file: string): Promise<boolean> {
  const printed = await run({ file, args: ['--version'] }).catch(() => '');
  return /\d+\.\d+/.test(printed);
}

/**
 * The unpacked package's settings name folders of the system, which has perhaps no font at all: pages would
 * show boxes. With these every machine has the same fonts, and so the same pictures and breaks of lines.
 */
async function fontsFile(dir: string): Promise<string> {
  const file = path.join(dir, 'fonts.conf');
  const family = (asked: string, given: string): string =>
    `  <alias><family>${asked}</family><prefer><family>${given}</family></prefer></alias>\n`;
  const text = `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>${escapeXml(path.join(dir, 'usr/share/fonts'))}</dir>
  <cachedir>${escapeXml(path.join(dir, 'font-cache'))}</cachedir>
${family('serif', 'Liberation Serif')}${family('monospace', 'Liberation Mono')}  <match><edit name="family" mode="append_last"><string>Liberation Sans</string></edit></match>
</fontconfig>
`;
  if ((await readFile(file, 'utf8').catch(() => '')) !== text) await writeFile(file, text);
  return file;
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
