/** Calls that install what a manifest lists, and nothing else. */

import { asPip } from './installs.ts';
import type { Call } from './run-scripts.ts';

export interface DependencyInstall {
  readonly tool: string;
  /** As people say it, e.g. `npm ci`. */
  readonly command: string;
  /** What it reads. */
  readonly manifest: string;
}

interface Tool {
  readonly verbs: readonly string[];
  readonly manifest: string;
  /** More words name packages, so that no manifest is read. */
  readonly takesPackages?: boolean;
}

const TOOLS: ReadonlyMap<string, Tool> = new Map<string, Tool>([
  [
    'npm',
    {
      verbs: ['ci', 'install', 'i', 'clean-install'],
      manifest: 'package.json and its lock file',
      takesPackages: true,
    },
  ],
  ['yarn', { verbs: ['install', ''], manifest: 'package.json and yarn.lock' }],
  [
    'pnpm',
    {
      verbs: ['install', 'i', 'fetch'],
      manifest: 'package.json and pnpm-lock.yaml',
      takesPackages: true,
    },
  ],
  ['bundle', { verbs: ['install', ''], manifest: 'Gemfile and Gemfile.lock' }],
  ['go', { verbs: ['mod download'], manifest: 'go.mod and go.sum' }],
  ['cargo', { verbs: ['fetch'], manifest: 'Cargo.toml and Cargo.lock' }],
  ['composer', { verbs: ['install'], manifest: 'composer.json and composer.lock' }],
  ['poetry', { verbs: ['install'], manifest: 'pyproject.toml and poetry.lock' }],
  [
    'pipenv',
    { verbs: ['install', 'sync'], manifest: 'Pipfile and Pipfile.lock', takesPackages: true },
  ],
  ['mix', { verbs: ['deps.get'], manifest: 'mix.exs and mix.lock' }],
  ['dotnet', { verbs: ['restore'], manifest: 'the project files' }],
]);

/** Undefined for a call that installs nothing, globally, or packages that it names itself. */
export function findDependencyInstall(call: Call): DependencyInstall | undefined {
  const { name, args } = asPip(call);
  if (/^pip[\d.]*$/.test(name)) {
    const at = args.findIndex(({ text }) => /^(?:-r|--requirement)/.test(text));
    const file = args[at]?.value?.split('=')[1] ?? args[at + 1]?.value;
    if (at < 0 || file === undefined || args[0]?.value !== 'install') return undefined;
    return { tool: 'pip', command: `pip install -r ${file}`, manifest: file };
  }
  const tool = TOOLS.get(name);
  if (tool === undefined) return undefined;
  const words = args.filter(({ text }) => !text.startsWith('-')).map(({ value }) => value);
  if (words.includes(undefined) || args.some(({ text }) => /^(?:-g|--global)$/.test(text))) {
    return undefined;
  }
  const verb = tool.verbs.find(
    (candidate) =>
      words.join(' ').startsWith(candidate) && (candidate !== '' || words.length === 0),
  );
  if (verb === undefined) return undefined;
  const count = verb === '' ? 0 : verb.split(' ').length;
  if (words.slice(0, count).join(' ') !== verb) return undefined;
  if (tool.takesPackages === true && words.length > count) return undefined;
  return { tool: name, command: `${name} ${verb}`.trim(), manifest: tool.manifest };
}
