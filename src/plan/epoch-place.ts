/** The thing whose time SOURCE_DATE_EPOCH asks for by a name: a named context, or a stage that is one download (ARG-9). */

import { type Dockerfile, expandWord } from '../../parser/index.ts';
import type { GitSource } from '../context/git-url.ts';
import { gitSource, isHttpSource } from './remote-source.ts';

export type EpochPlace =
  | { readonly kind: 'context'; readonly name: string }
  | { readonly kind: 'file'; readonly url: string; readonly checksum: string | undefined }
  | { readonly kind: 'git'; readonly source: GitSource };

/**
 * What a name means: undefined for what is neither. A stage must be `FROM scratch` and one ADD of one address, in
 * which no variable is set: none is declared there. @throws ERR_GIT_INVALID, ERR_VARIABLE
 */
export function epochPlaceOf(
  name: string,
  dockerfile: Dockerfile,
  /** Names of contexts that are files. */
  contexts: ReadonlySet<string>,
): EpochPlace | undefined {
  const key = name.toLowerCase();
  if (contexts.has(key)) return { kind: 'context', name: key };
  const { instructions, escape } = dockerfile;
  const start = instructions.findIndex(
    (each) => each.kind === 'from' && each.name?.toLowerCase() === key,
  );
  const stage = instructions[start];
  if (stage?.kind !== 'from' || stage.image.text !== 'scratch') return undefined;
  const end = instructions.findIndex((each, index) => index > start && each.kind === 'from');
  const [add, ...more] = instructions.slice(start + 1, end === -1 ? undefined : end);
  if (add?.kind !== 'add' || more.length > 0) return undefined;
  const [source, ...others] = add.sources;
  if (source?.kind !== 'path' || others.length > 0) return undefined;
  const expand = (text: string): string => expandWord(text, () => undefined, { escape });
  const text = expand(source.text);
  const checksum = add.checksum === undefined ? undefined : expand(add.checksum);
  const git = gitSource(text, { keepGitDir: add.keepGitDir, checksum });
  if (git !== undefined) return { kind: 'git', source: git };
  return isHttpSource(text) ? { kind: 'file', url: text, checksum } : undefined;
}
