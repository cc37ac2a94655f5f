/**
 * Puts a text on the clipboard; false: it is not there. Browsers give a clipboard to safe addresses only (https, or
 * this machine), and may refuse it there as well.
 */
export async function copyText(
  text: string,
  clipboard: Pick<Clipboard, 'writeText'> | undefined,
): Promise<boolean> {
  if (clipboard === undefined) return false;
  try {
    await clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
