/** The inputs of the action: what there is (action.yml says the same), and the flag that each of them is. */

import type { Environment } from '../cli/environment.ts';
import { type ListSyntax, readList } from './list.ts';

/** An input that was given: its name and text. */
export type Inputs = ReadonlyMap<string, string>;

/** What an input's text is: a value, a list of them, or something that no flag alone says. */
type Shape =
  | { readonly kind: 'text'; readonly flag: string }
  | { readonly kind: 'list'; readonly flag: string; readonly syntax: ListSyntax }
  | { readonly kind: 'special' };

const text = (flag: string): Shape => ({ kind: 'text', flag });
/** Items by commas and lines. */
const list = (flag: string): Shape => ({ kind: 'list', flag, syntax: COMMAS });
const lines = (flag: string): Shape => ({ kind: 'list', flag, syntax: LINES });
const SPECIAL: Shape = { kind: 'special' };

const COMMAS: ListSyntax = { commas: true, quotes: true };
export const LINES: ListSyntax = { commas: false, quotes: true };
const BARE_LINES: ListSyntax = { commas: false, quotes: false };

/** build-push-action's inputs, all of them: what a flag refuses, its input refuses by the same words. */
export const INPUTS: ReadonlyMap<string, Shape> = new Map([
  ['add-hosts', list('--add-host')],
  ['allow', list('--allow')],
  ['annotations', lines('--annotation')],
  ['attests', SPECIAL],
  ['build-args', lines('--build-arg')],
  ['build-contexts', lines('--build-context')],
  ['builder', text('--builder')],
  ['cache-from', lines('--cache-from')],
  ['cache-to', lines('--cache-to')],
  ['call', text('--call')],
  ['cgroup-parent', text('--cgroup-parent')],
  ['context', SPECIAL],
  ['file', text('--file')],
  ['github-token', SPECIAL],
  ['labels', lines('--label')],
  ['load', text('--load')],
  ['network', text('--network')],
  ['no-cache', text('--no-cache')],
  ['no-cache-filters', list('--no-cache-filter')],
  ['outputs', { kind: 'list', flag: '--output', syntax: BARE_LINES }],
  ['platforms', list('--platform')],
  ['provenance', SPECIAL],
  ['pull', text('--pull')],
  ['push', text('--push')],
  ['sbom', text('--sbom')],
  ['secret-envs', SPECIAL],
  ['secret-files', SPECIAL],
  ['secrets', SPECIAL],
  ['shm-size', text('--shm-size')],
  ['ssh', list('--ssh')],
  ['tags', list('--tag')],
  ['target', text('--target')],
  ['ulimit', lines('--ulimit')],
]);

/** The inputs that have a value, without the blanks around them. */
export function readInputs(environment: Environment): Inputs {
  const given = new Map<string, string>();
  for (const name of INPUTS.keys()) {
    const value = environment[`INPUT_${name.toUpperCase()}`] ?? '';
    if (value.trim() !== '') given.set(name, value.trim());
  }
  return given;
}

/** The flags of an input that is no special one. @throws ERR_USAGE for a list that cannot be read */
export function plainFlags(name: string, value: string): readonly string[] {
  const shape = INPUTS.get(name) ?? SPECIAL;
  switch (shape.kind) {
    case 'text':
      return [`${shape.flag}=${value}`];
    case 'list':
      return readList(value, shape.syntax).map((item) => `${shape.flag}=${item}`);
    case 'special':
      return [];
  }
}
