/** What a RUN calls: its shell form, its script in a heredoc, its argv, and what is inside `sh -c`. */

import type { SourceRange } from '../../../src/errors.ts';
import type { RunInstruction } from '../../ast.ts';
import type { SourceLines } from '../source-lines.ts';
import {
  type ShellCommand,
  type ShellScript,
  type ShellWord,
  splitScript,
} from './shell-commands.ts';

/** A command, told from what only starts it (`sudo`, `env`, …). */
export interface Call {
  /** Without directories; '' when it is computed. */
  readonly name: string;
  readonly args: readonly ShellWord[];
  readonly command: ShellCommand;
  readonly script: RunScript;
}

export interface RunScript {
  readonly kind: 'line' | 'heredoc' | 'argv' | 'nested';
  readonly text: string;
  readonly parsed: ShellScript;
  /** The place of a part of `text`; undefined where it is not as written. */
  readonly locate: (start: number, end: number) => SourceRange | undefined;
}

/** A RUN and all that it calls, in order. */
export interface RunCalls {
  readonly run: RunInstruction;
  readonly scripts: readonly RunScript[];
  readonly calls: readonly Call[];
}

/**
 * Without calls when its shell is none that we understand; without `lines` it has no places. Its
 * scripts are split when first asked for: the checks of a build never ask.
 */
export function readRun(
  run: RunInstruction,
  { lines, isPosix }: { readonly lines: SourceLines | undefined; readonly isPosix: boolean },
): RunCalls {
  let scripts: RunCalls['scripts'] | undefined;
  let calls: RunCalls['calls'] | undefined;
  return {
    run,
    get scripts() {
      return (scripts ??= scriptsOf(run, lines, isPosix));
    },
    get calls() {
      return (calls ??= this.scripts.flatMap(callsOf));
    },
  };
}

const SHELLS = ['sh', 'bash', 'dash', 'ash', 'ksh', 'zsh'];

/** Whether a shell reads scripts as POSIX describes, near enough. */
export function isPosixShell(command: string): boolean {
  return SHELLS.includes(baseName(command));
}

export function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

const NOWHERE = (): undefined => undefined;

function scriptsOf(
  run: RunInstruction,
  lines: SourceLines | undefined,
  isPosix: boolean,
): RunScript[] {
  const { command, heredocs } = run;
  if (command.form === 'exec') return argvScripts(command.argv);
  const [only, second] = heredocs;
  const isScript = /^\s*\d*<<-?\s*\S+\s*$/.test(command.line);
  if (only !== undefined && second === undefined && isScript) {
    const shebang = /^#!\s*(?:\S*\/env\s+(?:-S\s+)?)?(\S+)/.exec(only.content)?.[1];
    if (shebang === undefined ? !isPosix : !isPosixShell(shebang)) return [];
    if (lines === undefined) return toScript('heredoc', only.content, NOWHERE);
    const { range } = only;
    const body = lines.slice(range).replace(/[^\n]*$/, '');
    return toScript('heredoc', body, (start, end) => lines.locateIn(range, start, end));
  }
  if (!isPosix) return [];
  const offset = run.text.length - command.line.length;
  if (lines === undefined || !run.text.endsWith(command.line))
    return toScript('line', command.line, NOWHERE);
  const scripts = toScript('line', command.line, (start, end) =>
    lines.locate(run, offset + start, offset + end),
  );
  const isFedToShell = scripts
    .flatMap(({ parsed }) => parsed.commands)
    .some(({ words }) => isPosixShell(words[0]?.value ?? '') && words.length === 1);
  if (only === undefined || second !== undefined || !isFedToShell) return scripts;
  return [...scripts, ...toScript('nested', only.content, NOWHERE)];
}

function argvScripts(argv: readonly string[]): RunScript[] {
  const words = argv.map((value): ShellWord => ({ text: value, value, start: 0, end: 0 }));
  if (words.length === 0) return [];
  const command: ShellCommand = { words, assignments: [], next: '', depth: 0 };
  const parsed = { commands: [command], end: 0, isExtendable: false };
  return [{ kind: 'argv', text: '', parsed, locate: NOWHERE }];
}

function toScript(kind: RunScript['kind'], text: string, locate: RunScript['locate']): RunScript[] {
  const parsed = splitScript(text);
  return parsed === undefined ? [] : [{ kind, text, parsed, locate }];
}

function callsOf(script: RunScript): readonly Call[] {
  return script.parsed.commands.flatMap((command) => {
    const words = unwrap(command.words);
    const [first, ...args] = words;
    const call = { name: baseName(first?.value ?? ''), args, command, script };
    return [call, ...nestedCalls(call)];
  });
}

/** Commands that run the one in their arguments. */
const WRAPPERS = ['sudo', 'env', 'exec', 'command', 'nice', 'nohup', 'eatmydata', 'time'];

function unwrap(words: readonly ShellWord[]): readonly ShellWord[] {
  let rest = words;
  while (rest.length > 1 && WRAPPERS.includes(baseName(rest[0]?.value ?? ''))) {
    const next = rest.findIndex(({ text }, at) => at > 0 && !/^-|^[A-Za-z_]\w*=/.test(text));
    if (next < 0) return rest;
    rest = rest.slice(next);
  }
  return rest;
}

function nestedCalls({ name, args, script }: Call): readonly Call[] {
  if (!SHELLS.includes(name) || script.kind === 'nested') return [];
  const flag = args.findIndex(({ value }) => /^-[a-z]*c$/.test(value ?? ''));
  const text = flag < 0 ? undefined : args[flag + 1]?.value;
  return text === undefined ? [] : toScript('nested', text, NOWHERE).flatMap(callsOf);
}
