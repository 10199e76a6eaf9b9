/** Dockerfiles of ../shared/corpus: real ones, and the small ones of BuildKit's parser tests. */

import { existsSync, globSync, readFileSync } from 'node:fs';

const CORPUS = '../shared/corpus';

/** Why there are no texts; undefined when there are some. */
export function whyNoCorpus(): string | undefined {
  return existsSync(CORPUS) ? undefined : 'no ../shared/corpus beside the project';
}

/** The texts. */
export function corpusTexts(): readonly string[] {
  const { cases } = JSON.parse(readFileSync(`${CORPUS}/parser.json`, 'utf8')) as {
    readonly cases: readonly { readonly dockerfile?: unknown }[];
  };
  const small = cases
    .map(({ dockerfile }) => dockerfile)
    .filter((text) => typeof text === 'string');
  const real = globSync(`${CORPUS}/realworld/*`).map((file) => readFileSync(file, 'utf8'));
  return [...small, ...real];
}
