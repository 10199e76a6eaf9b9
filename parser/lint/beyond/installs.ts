/** Calls that install packages: which of their words are packages, and where the verb is. */

import type { Call } from './run-scripts.ts';
import type { ShellWord } from './shell-commands.ts';

export interface Install {
  readonly manager: 'apt' | 'apk' | 'pip';
  readonly call: Call;
  /** `install` or `add`. */
  readonly verb: ShellWord;
  /** What is to be installed, options left out. */
  readonly packages: readonly ShellWord[];
}

interface Manager {
  readonly name: Install['manager'];
  readonly commands: RegExp;
  readonly verb: string;
  /** Options whose value is the next word. */
  readonly valued: readonly string[];
}

const MANAGERS: readonly Manager[] = [
  {
    name: 'apt',
    commands: /^(?:apt|apt-get)$/,
    verb: 'install',
    valued: [
      '-t',
      '--target-release',
      '--default-release',
      '-o',
      '--option',
      '-c',
      '--config-file',
    ],
  },
  {
    name: 'apk',
    commands: /^apk$/,
    verb: 'add',
    valued: [
      '-t',
      '--virtual',
      '-X',
      '--repository',
      '--repositories-file',
      '-p',
      '--root',
      '--arch',
      '--wait',
      '--keys-dir',
    ],
  },
  {
    name: 'pip',
    commands: /^pip[\d.]*$/,
    verb: 'install',
    valued: [
      '-c',
      '--constraint',
      '-t',
      '--target',
      '-i',
      '--index-url',
      '--extra-index-url',
      '-f',
      '--find-links',
      '--trusted-host',
      '--prefix',
      '--root',
      '--timeout',
      '--retries',
      '--platform',
      '--python-version',
      '--progress-bar',
      '--proxy',
    ],
  },
];

/** What a call installs; undefined when it installs nothing. `python -m pip` counts as pip. */
export function findInstall(call: Call): Install | undefined {
  const { name, args } = asPip(call);
  const manager = MANAGERS.find(({ commands }) => commands.test(name));
  if (manager === undefined) return undefined;
  const [verb, ...packages] = plainWords(args, manager);
  if (verb?.value !== manager.verb) return undefined;
  return { manager: manager.name, call, verb, packages };
}

/** `python -m pip …` as the call of pip that it is; other calls as they are. */
export function asPip({ name, args }: Call): Pick<Call, 'name' | 'args'> {
  const [flag, module, ...rest] = args;
  const isModule = /^python[\d.]*$/.test(name) && flag?.value === '-m' && module?.value === 'pip';
  return isModule ? { name: 'pip', args: rest } : { name, args };
}

function plainWords(args: readonly ShellWord[], { valued }: Manager): readonly ShellWord[] {
  const words: ShellWord[] = [];
  for (let at = 0; at < args.length; at++) {
    const word = args[at];
    if (word === undefined) break;
    if (valued.includes(word.text)) at++;
    else if (!word.text.startsWith('-')) words.push(word);
  }
  return words;
}
