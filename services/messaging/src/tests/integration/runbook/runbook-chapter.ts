import { workspaceDir } from '@sanctum/local-servers';
import { readFileSync } from 'node:fs';
import path from 'node:path';

/** The code blocks of one language under a heading of the runbook, in order, as they stand there. */
export function codeBlocks(heading: string, language: 'bash' | 'sql'): string[] {
  const level = heading.indexOf(' ');
  const blocks: string[] = [];
  let isInside = false;
  let open: { readonly language: string; text: string } | undefined;
  for (const line of readFileSync(path.join(workspaceDir, 'docs/runbook.md'), 'utf8').split('\n')) {
    if (open !== undefined) {
      if (line !== '```') open.text += `${line}\n`;
      else {
        if (isInside && open.language === language) blocks.push(open.text);
        open = undefined;
      }
    } else if (line.startsWith('```')) open = { language: line.slice('```'.length), text: '' };
    else if (line === heading) isInside = true;
    // Another one of its level, or above, ends the chapter.
    else if (/^#+ /.test(line) && line.indexOf(' ') <= level) isInside = false;
  }
  if (blocks.length === 0) throw new Error(`the runbook has no ${language} under ${JSON.stringify(heading)}`);
  return blocks;
}

/** The commands of shell blocks, one by one: a line, or a line with its here-document; comments left out. */
export function shellCommands(blocks: readonly string[]): string[] {
  const commands: string[] = [];
  let document: string | undefined;
  for (const line of blocks.join('').split('\n')) {
    if (document !== undefined) {
      commands.push(`${commands.pop() ?? ''}\n${line}`);
      if (line === document) document = undefined;
    } else if (line.trim() !== '' && !line.startsWith('#')) {
      commands.push(line);
      document = /<<(\w+)$/.exec(line)?.[1];
    }
  }
  return commands;
}
