/** COPY and ADD: sources, destination and what becomes of the files (1.8). */

import {
  type AddInstruction,
  type CopyInstruction,
  type CopySource,
  expandWord,
} from '../../parser/index.ts';
import type { SourceLocation } from '../errors.ts';
import { parseChmod } from './chmod.ts';
import { invalid } from './failures.ts';
import { layerEntry } from './history.ts';
import { resolveDestination } from './paths.ts';
import { CONTEXT, type Planning, stepBase } from './planning.ts';
import {
  checkChecksum,
  gitSource,
  isGitSource,
  isHttpSource,
  redactWords,
  urlFileName,
} from './remote-source.ts';
import type { StageState } from './stage-state.ts';
import type { CopyOrigin, CopyStep, PlannedSource } from './step.ts';

type Instruction = CopyInstruction | AddInstruction;

/** @throws ERR_INSTRUCTION_INVALID, ERR_UNSUPPORTED, ERR_VARIABLE, and what finding `--from` throws */
export async function planCopy<Image>(
  state: StageState<Image>,
  instruction: Instruction,
  planning: Planning<Image>,
): Promise<CopyStep<Image>> {
  const words = expandInstruction(state, instruction);
  checkSources(instruction, words);
  const name = redactWords(planning.nextName());
  return Object.freeze({
    kind: 'copy',
    ...stepBase(state, planning, { name, history: layerEntry(historyText(instruction, words)) }),
    add: instruction.kind === 'add',
    origin: await originOf(state, instruction, planning),
    sources: Object.freeze([
      ...words.paths.map((path) => planSource(path, instruction, words.checksum)),
      ...words.files,
    ]),
    destination: resolveDestination(state.workingDirectory, words.destination),
    chown: words.chown,
    chmod: words.chmod === undefined ? undefined : parseChmod(words.chmod),
    link: instruction.link,
    parents: instruction.kind === 'copy' && instruction.parents,
    exclude: instruction.exclude,
  });
}

/** FROM of a named context that is no image: a stage that begins with its files (FROM-9). */
export function copyOfContext<Image>(
  state: StageState<Image>,
  step: { readonly context: string; readonly name: string; readonly location: SourceLocation },
): CopyStep<Image> {
  const { context, name, location } = step;
  return Object.freeze({
    kind: 'copy',
    location,
    name,
    history: layerEntry(`COPY --from=${context} . / # buildkit`),
    ignoreCache: state.ignoreCache,
    add: false,
    origin: Object.freeze({ kind: 'named-context', name: context }),
    sources: Object.freeze([Object.freeze({ kind: 'path', path: '.', unpack: false })]),
    destination: '/',
    chown: undefined,
    chmod: undefined,
    link: false,
    parents: false,
    exclude: Object.freeze([]),
  });
}

/** The words of the instruction, expanded; `--exclude` never is (VAR-9). */
interface CopyWords {
  readonly paths: readonly string[];
  readonly files: readonly Extract<PlannedSource, { readonly kind: 'inline' }>[];
  readonly destination: string;
  readonly chown: string | undefined;
  readonly chmod: string | undefined;
  readonly checksum: string | undefined;
}

function expandInstruction(state: StageState<unknown>, instruction: Instruction): CopyWords {
  const optional = (text: string | undefined): string | undefined =>
    text === undefined ? undefined : state.expand(text) || undefined;
  const { sources } = instruction;
  return {
    paths: sources.flatMap((source) => (source.kind === 'path' ? [state.expand(source.text)] : [])),
    files: sources.flatMap((source) => inlineFile(state, source)),
    destination: state.expand(instruction.destination),
    chown: optional(instruction.chown),
    chmod: optional(instruction.chmod),
    checksum: instruction.kind === 'add' ? optional(instruction.checksum) : undefined,
  };
}

/** The body of a heredoc: quotes stay, and the escape is a backslash whatever the directive says (HD-6). */
function inlineFile(state: StageState<unknown>, source: CopySource): CopyWords['files'] {
  if (source.kind === 'path') return [];
  const content = source.expand
    ? expandWord(source.content, state.lookup, { escape: '\\', keepQuotes: true })
    : source.content;
  return [Object.freeze({ kind: 'inline', name: source.name, content })];
}

function checkSources(instruction: Instruction, words: CopyWords): void {
  const knownGit = instruction.kind === 'add' && instruction.keepGitDir !== undefined;
  const git = words.paths.find((path) => isGitSource(path, knownGit));
  const url = words.paths.find((path) => isHttpSource(path));
  if (words.checksum !== undefined) checkChecksumUse(words, knownGit);
  if (instruction.kind === 'add' || (git === undefined && url === undefined)) return;
  const remote = git === undefined ? 'URL' : 'git ref';
  throw invalid(
    `Cannot copy "${redactWords(git ?? url ?? '')}": source can't be a ${remote} for COPY`,
    'Use ADD for what is not in the build context.',
  );
}

/** CP-24 */
function checkChecksumUse(words: CopyWords, knownGit: boolean): void {
  const [path = ''] = words.paths;
  if (words.paths.length !== 1) {
    throw invalid("Cannot verify a checksum: checksum can't be specified for multiple sources");
  }
  if (!isHttpSource(path) && !isGitSource(path, knownGit)) {
    throw invalid('Cannot verify a checksum: checksum requires HTTP(S) or Git sources');
  }
}

function planSource(
  path: string,
  instruction: Instruction,
  checksum: string | undefined,
): PlannedSource {
  const unpack = instruction.kind === 'add' ? instruction.unpack : false;
  if (instruction.kind === 'add') {
    const git = gitSource(path, { keepGitDir: instruction.keepGitDir, checksum });
    if (git !== undefined) return Object.freeze({ kind: 'git', git });
  }
  if (!isHttpSource(path)) {
    return Object.freeze({ kind: 'path', path, unpack: unpack ?? instruction.kind === 'add' });
  }
  return Object.freeze({
    kind: 'url',
    url: path,
    name: urlFileName(path),
    checksum: checksum === undefined ? undefined : checkChecksum(checksum),
    unpack: unpack ?? false,
  });
}

async function originOf<Image>(
  state: StageState<Image>,
  instruction: Instruction,
  planning: Planning<Image>,
): Promise<CopyOrigin<Image>> {
  if (instruction.kind === 'add' || instruction.from === undefined) return CONTEXT;
  const request = { kind: 'copy', stage: state, location: planning.location } as const;
  const origin = await planning.findOrigin(instruction.from, request);
  if (origin !== undefined) return origin;
  throw invalid('Cannot copy files of "scratch": it has none');
}

/** `--from`, `--link` and `--exclude` are not in the history, bodies of heredocs neither (HIST-2, HD-8). */
function historyText(instruction: Instruction, words: CopyWords): string {
  const parts = [
    instruction.kind.toUpperCase(),
    ...(instruction.kind === 'copy' && instruction.parents ? ['--parents'] : []),
    ...(words.chown === undefined ? [] : [`--chown=${words.chown}`]),
    ...(words.chmod === undefined ? [] : [`--chmod=${words.chmod}`]),
    ...words.paths.map(redactWords),
    ...words.files.map(({ name }) => `<<${name}`),
    words.destination,
  ];
  return `${parts.join(' ')} # buildkit`;
}
