/** Dockerfiles made at random of COPY, ADD and what they take: their flags, sources and destinations. */

import type { Random } from './fuzz-context.ts';

/** What ADD unpacks: `fuzz-copies.ts` puts it into the context. */
export const ARCHIVE = 't.tar';

/** Two stages, the second of which may copy from the first. */
export function dockerfileOf(random: Random): string {
  return [
    'FROM scratch AS first',
    ...stepsOf(random, false),
    'FROM scratch',
    ...stepsOf(random, true),
    '',
  ].join('\n');
}

/** The text of an ignore file; undefined: there is none. */
export function ignoreFileOf(random: Random): string | undefined {
  const texts = ['', '', 'a\n', '**/b\n!d/b\n', 'd\n!d/e/x\n', '*/e\n', '*\n!d\n'];
  return pick(random, texts) || undefined;
}

function stepsOf(random: Random, hasStage: boolean): readonly string[] {
  return Array.from({ length: 1 + random(3) }, () => {
    const from = hasStage && random(3) === 0;
    switch (random(8)) {
      case 0:
        return `WORKDIR ${pick(random, ['/x', '/d/e', '/w/v'])}`;
      case 1:
        return `ADD ${owner(random)}${mode(random)}${ARCHIVE} ${destination(random)}`;
      case 2:
        return `COPY ${owner(random)}${mode(random)}<<one ${destination(random)}\n${random(2)}\none`;
      default:
        return copyOf(random, from);
    }
  });
}

function copyOf(random: Random, from: boolean): string {
  const flags = [
    from ? '--from=first ' : '',
    owner(random),
    mode(random),
    maybe(random, 5, '--link '),
    maybe(random, 4, '--parents '),
    maybe(random, 4, `--exclude=${pick(random, ['a', '**/b', 'd/e', '*/x', '!a'])} `),
    maybe(random, 8, `--exclude=${pick(random, ['c', 'e', '**'])} `),
  ];
  const sources = Array.from({ length: 1 + random(2) }, () => pick(random, SOURCES));
  return `COPY ${flags.join('')}${sources.join(' ')} ${destination(random)}`;
}

const SOURCES = [
  '.',
  'd',
  'd/',
  'd/e',
  'f',
  '*',
  'a*',
  '[ab]',
  'd/*',
  '*/?',
  './d/./e',
  'd/./*',
  'a',
  'f/x',
];
const DESTINATIONS = ['/', '/x', '/x/', '/d/', '/d/e', 'y/', 'z', '/l/./', '/a', '/x/y/z'];
const OWNERS = ['1:2', '0', '5', '70000:3'];
const MODES = ['755', '0640', '4711', 'u+x', 'go-r', 'a=rX', 'u=rwX,go=rX', '+t'];

const destination = (random: Random): string => pick(random, DESTINATIONS);
const owner = (random: Random): string => maybe(random, 3, `--chown=${pick(random, OWNERS)} `);
const mode = (random: Random): string => maybe(random, 3, `--chmod=${pick(random, MODES)} `);

/** Once in so many times. */
function maybe(random: Random, times: number, text: string): string {
  return random(times) === 0 ? text : '';
}

function pick(random: Random, values: readonly string[]): string {
  return values[random(values.length)] ?? '';
}
