import type { Command, Option } from 'commander';

export const SHELLS = ['bash', 'zsh'] as const;
export type CompletedShell = (typeof SHELLS)[number];

/** A command as it is typed, without the program's own name: empty for the program itself. */
interface Entry {
  readonly path: string;
  readonly words: readonly { readonly word: string; readonly description: string }[];
}

/** The script that completes what the program's own help lists. */
export function completionScript(program: Command, shell: CompletedShell): string {
  const entries = entriesOf(program, []);
  const options = allOptions(program);
  return shell === 'bash' ? bashScript(entries, options) : zshScript(entries, options);
}

function entriesOf(command: Command, path: readonly string[]): Entry[] {
  const { visibleCommands, visibleOptions } = helpOf(command);
  const words = [
    ...visibleCommands.map((each) => ({ word: each.name(), description: each.description() })),
    ...visibleOptions.map((each) => ({ word: each.long ?? each.flags, description: each.description })),
  ];
  const children = visibleCommands.flatMap((each) => entriesOf(each, [...path, each.name()]));
  return [{ path: path.join(' '), words }, ...children];
}

function allOptions(command: Command): Option[] {
  const { visibleCommands, visibleOptions } = helpOf(command);
  return [...visibleOptions, ...visibleCommands.flatMap(allOptions)];
}

function helpOf(command: Command): { visibleCommands: Command[]; visibleOptions: readonly Option[] } {
  const help = command.createHelp();
  const visibleCommands = help.visibleCommands(command).filter((each) => each.name() !== 'help');
  return { visibleCommands, visibleOptions: help.visibleOptions(command) };
}

/** The long names of options that take a file, or any value. */
function taking(options: readonly Option[], what: 'file' | 'value'): string[] {
  const names = options
    .filter((option) => option.required && /<(?:path|file)>/.test(option.flags) === (what === 'file'))
    .map((option) => option.long ?? '');
  return [...new Set(names)].filter(Boolean);
}

function bashScript(entries: readonly Entry[], options: readonly Option[]): string {
  const paths = entries.map(({ path }) => path).filter(Boolean);
  const cases = entries.map(({ path, words }) => {
    return `    '${path}') words='${words.map(({ word }) => word).join(' ')}' ;;`;
  });
  return `# Completion of sanctum for bash: source <(sanctum completion bash)
_sanctum() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" command='' word words=''
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "\${command:+$command }$word" in
      ${paths.map((path) => `'${path}'`).join(' | ')}) command="\${command:+$command }$word" ;;
    esac
  done
  case "$previous" in
    ${taking(options, 'file').join(' | ')}) COMPREPLY=($(compgen -f -- "$current")); return ;;
    ${taking(options, 'value').join(' | ')}) COMPREPLY=(); return ;;
  esac
  case "$command" in
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -F _sanctum sanctum ./sanctum
`;
}

function zshScript(entries: readonly Entry[], options: readonly Option[]): string {
  const paths = entries.map(({ path }) => path).filter(Boolean);
  const cases = entries.map(({ path, words }) => {
    const described = words.map(({ word, description }) => `        ${quoted(`${word}:${description}`)}`);
    return `    '${path}')\n      candidates=(\n${described.join('\n')}\n      ) ;;`;
  });
  return `#compdef sanctum
# Completion of sanctum for zsh: source <(sanctum completion zsh)
_sanctum() {
  local typed='' word
  local -a candidates
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "\${typed:+$typed }$word" in
      ${paths.map((path) => `'${path}'`).join(' | ')}) typed="\${typed:+$typed }$word" ;;
    esac
  done
  case "\${words[CURRENT-1]}" in
    ${taking(options, 'file').join(' | ')}) _files; return ;;
    ${taking(options, 'value').join(' | ')}) return ;;
  esac
  case "$typed" in
${cases.join('\n')}
  esac
  _describe -o sanctum candidates
}
# Loaded from a folder of $fpath this file is the function itself.
if [[ "\${funcstack[1]}" == _sanctum ]]; then _sanctum "$@"; else compdef _sanctum sanctum ./sanctum; fi
`;
}

/** For zsh: within single quotes, and with its colons escaped but for the first. */
function quoted(text: string): string {
  const [word = '', ...rest] = text.split(':');
  return `'${`${word}:${rest.join('\\:')}`.replaceAll("'", `'\\''`)}'`;
}
