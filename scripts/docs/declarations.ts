/** A small reader of `.d.ts` files: what a module declares, and what an entry exports. */

export interface Declaration {
  readonly kind: 'class' | 'function' | 'const' | 'interface' | 'type';
  readonly name: string;
  /** The text of its docstring, without asterisks; empty where there is none. */
  readonly doc: string;
  /** Without docstring, `export` and `declare`, and without what is private. */
  readonly text: string;
}

const DOC = String.raw`\/\*\*((?:[^*]|\*(?!\/))*)\*\/\s*`;
const HEAD = new RegExp(`^(?:${DOC})?export (?:declare )?(class|function|const|interface|type) (\\w+)`, 'gm');
const PRIVATE = new RegExp(`^ *(?:${DOC})?(?:#private|private [^;]*);\\n`, 'gm');

/** What the text of a `.d.ts` declares and exports where it stands, in its order. */
export function declarationsOf(text: string): Declaration[] {
  return Array.from(text.matchAll(HEAD), (match) => {
    const [all, doc = '', kind, name] = match;
    const start = match.index + all.length - `${kind} ${name}`.length;
    const declared = text.slice(start, endOf(text, start));
    return {
      kind: kind as Declaration['kind'],
      name: name!,
      doc: withoutAsterisks(doc),
      text: declared.replaceAll(PRIVATE, ''),
    };
  });
}

/** What an entry exports: names, by the module that they come from; `*` for all of a module. */
export function exportsOf(
  text: string,
): { readonly from: string; readonly names: readonly string[] | '*' }[] {
  const lists = text.matchAll(/^export (?:type )?(\*|\{[^}]*\}) from '\.\/([^']+)\.[jt]s';/gm);
  return Array.from(lists, ([, list, from]) => ({
    from: from!,
    names:
      list === '*'
        ? '*'
        : list!
            .slice(1, -1)
            .split(',')
            .map((name) => name.trim().replace(/^type /, ''))
            .filter(Boolean),
  }));
}

/** Where the declaration that begins at `start` ends: behind its bracket at a line's beginning, or its semicolon. */
function endOf(text: string, start: number): number {
  if (/^(?:class|interface) /.test(text.slice(start, start + 10))) return text.indexOf('\n}', start) + 2;
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    // Brackets in comments mean nothing.
    if (text.startsWith('/*', at)) at = text.indexOf('*/', at) + 1;
    const character = text[at]!;
    if ('{(['.includes(character)) depth += 1;
    if ('})]'.includes(character)) depth -= 1;
    if (depth === 0 && character === ';') return at + 1;
  }
  throw new Error(`a declaration does not end: ${text.slice(start, start + 40)}`);
}

function withoutAsterisks(doc: string): string {
  return doc
    .split('\n')
    .map((line) => line.replace(/^\s*\* ?/, '').trimEnd())
    .join('\n')
    .trim();
}
