/** argv to flags: what there is to say on the command line, and its help. */

import { Command, Option } from 'commander';
import { TsbuildError } from '../index.ts';
import { type FlagShape, normalizeArgv, usage } from './argv.ts';
import { BUILD_FLAGS } from './build-flags.ts';
import { RUN_FLAGS, type RunFlags } from './run-flags.ts';
import { DOCKER_FLAGS, OTHER_ISOLATIONS } from './docker-flags.ts';
import { type DoctorCommand, parseDoctorArgs } from './doctor-args.ts';
import { type DiffCommand, parseDiffArgs } from './diff-args.ts';
import { type IndexCommand, isIndexCommand, parseIndexArgs } from './index-args.ts';
import { parsePushArgs, type PushCommand } from './push-args.ts';

/** The command line as typed: nothing looked up, nothing converted. */
export interface Flags extends RunFlags {
  readonly context: string;
  readonly file?: string;
  readonly ignorefile?: string;
  readonly tag: readonly string[];
  readonly output: readonly string[];
  readonly push?: boolean;
  readonly load?: boolean;
  readonly annotation: readonly string[];
  readonly attest: readonly string[];
  readonly provenance?: string;
  readonly sbom?: string;
  readonly iidfile?: string;
  readonly metadataFile?: string;
  readonly target?: string;
  readonly buildArg: readonly string[];
  readonly label: readonly string[];
  /** commander turns `--no-cache` into this. */
  readonly cache: boolean;
  /** And `--no-cache-filter` into this. */
  readonly cacheFilter: readonly string[];
  readonly buildContext: readonly string[];
  readonly platform: readonly string[];
  readonly secret: readonly string[];
  readonly ssh: readonly string[];
  readonly addHost: readonly string[];
  readonly isolation?: string;
  readonly pull?: string;
  readonly insecureRegistry: readonly string[];
  readonly jobs?: string;
  readonly quiet?: boolean;
  readonly progress?: string;
  readonly call?: string;
  readonly check?: boolean;
  readonly fix?: boolean;
}

/** `tsbuild context ls`: the build's flags, and its own. */
export interface ContextFlags extends Flags {
  readonly json?: boolean;
  readonly all?: boolean;
  readonly why?: string;
}

/** What a command line asks for. */
export type CommandLine =
  | { readonly kind: 'help'; readonly text: string }
  | { readonly kind: 'version' }
  | { readonly kind: 'build'; readonly flags: Flags; readonly warnings: readonly string[] }
  | {
      readonly kind: 'context';
      readonly flags: ContextFlags;
      readonly warnings: readonly string[];
    }
  | DoctorCommand
  | PushCommand
  | DiffCommand
  | IndexCommand;

/**
 * Reads a command line (without the program's name).
 * @throws ERR_USAGE for what it cannot understand, ERR_UNSUPPORTED for docker's flags that are not here yet.
 */
export function parseArgs(argv: readonly string[]): CommandLine {
  if (argv[0] === 'doctor') return parseDoctorArgs(argv.slice(1));
  if (argv[0] === 'push') return parsePushArgs(argv.slice(1));
  if (argv[0] === 'diff') return parseDiffArgs(argv.slice(1));
  if (isIndexCommand(argv)) return parseIndexArgs(argv.slice(2));
  if (isContextCommand(argv)) return parseContextArgs(argv.slice(2));
  const program = createProgram();
  const parsed = parseWith(program, argv[0] === 'build' ? argv.slice(1) : argv);
  if (parsed.kind !== 'flags') return parsed;
  const { warnings, positionals } = parsed;
  const [context, ...more] = positionals;
  if (context === undefined || more.length > 0) throw wrongContextCount(positionals);
  return { kind: 'build', flags: { ...program.opts<Omit<Flags, 'context'>>(), context }, warnings };
}

/** `context` alone may be a directory to build. @throws ERR_USAGE for `context` and a word that is no command */
function isContextCommand([first, second]: readonly string[]): boolean {
  if (first !== 'context' || second === undefined || second.startsWith('-')) return false;
  if (second === 'ls') return true;
  throw usage(
    `Cannot understand "context ${second}"`,
    'Write "tsbuild context ls [flags] [CONTEXT]", or "tsbuild ./context" to build a directory of that name.',
  );
}

function parseContextArgs(argv: readonly string[]): CommandLine {
  const program = createContextProgram();
  const parsed = parseWith(program, argv);
  if (parsed.kind !== 'flags') return parsed;
  const { warnings, positionals } = parsed;
  const [context = '.', ...more] = positionals;
  if (more.length > 0) throw wrongContextCount(positionals);
  const flags = { ...program.opts<Omit<ContextFlags, 'context'>>(), context };
  return { kind: 'context', flags, warnings };
}

/** Flags into the program; `--help` and `--version` are answers of their own. */
function parseWith(
  program: Command,
  argv: readonly string[],
):
  | Extract<CommandLine, { readonly kind: 'help' | 'version' }>
  | {
      readonly kind: 'flags';
      readonly positionals: readonly string[];
      readonly warnings: readonly string[];
    } {
  const { flags, positionals } = normalizeArgv(argv, program.options.map(shapeOf));
  if (flags.includes('--help')) return { kind: 'help', text: program.helpInformation() };
  if (flags.includes('--version')) return { kind: 'version' };
  program.parse([...flags], { from: 'user' });
  return { kind: 'flags', positionals, warnings: judgeDockerFlags(program) };
}

function createProgram(): Command {
  const program = new Command('tsbuild')
    .usage(
      '[build] [flags] CONTEXT\n       tsbuild push [flags] [SOURCE] NAME\n       tsbuild index create [flags] SOURCE…\n       tsbuild diff [flags] A B\n       tsbuild context ls [flags] [CONTEXT]\n       tsbuild doctor [--json]',
    )
    .description(
      'Builds a Dockerfile into an OCI image. CONTEXT is a directory, the URL of a tar, a Dockerfile or a git repository, or - for a tar or a Dockerfile on standard input.',
    )
    .helpOption(false)
    // Defaults are in the texts, where they are worth a word.
    .configureHelp({ optionDescription: ({ description }) => description })
    .exitOverride();
  for (const option of createOptions()) program.addOption(option);
  return program;
}

/** What a build has and a list has no use for. */
const NOT_OF_LISTS = ['--check', '--fix', '--call', '--quiet', '--progress'];
/** These change nothing in a list; whoever types a build's command line may leave them there. */
const WITHOUT_EFFECT =
  /^--(?:tag|output|push|load|annotation|attest|provenance|sbom|iidfile|metadata-file|label|no-cache|no-cache-filter|add-host|pull|jobs)$/;

function createContextProgram(): Command {
  const program = new Command('tsbuild context ls')
    .usage('[flags] [CONTEXT]')
    .description(
      'Lists the files of the build context (default: "."): sizes, the rule of the ignore file that keeps or drops each, and the instructions that use it. Runs nothing.',
    )
    .helpOption(false)
    // Defaults are in the texts, where they are worth a word.
    .configureHelp({ optionDescription: ({ description }) => description })
    .exitOverride();
  program.addOption(new Option('--why <path>', 'explain this one path'));
  program.addOption(new Option('--json', 'print JSON; sizes are bytes'));
  program.addOption(new Option('--all', 'also list what is in directories that are ignored'));
  for (const option of createOptions()) {
    const long = option.long ?? '';
    if (NOT_OF_LISTS.includes(long)) continue;
    const isWithout = WITHOUT_EFFECT.test(long) || isRunFlag(long);
    program.addOption(isWithout ? option.hideHelp() : option);
  }
  return program;
}

function isRunFlag(long: string): boolean {
  return Object.keys(RUN_FLAGS).some((declaration) => declaration.includes(`${long} `));
}

/** New at each call: who uses them may hide some. */
function createOptions(): readonly Option[] {
  const options = BUILD_FLAGS.map(({ declaration, text, heading, isList }) => {
    const option = new Option(declaration, text).helpGroup(heading);
    if (!isList) return option;
    return option.default([]).argParser((value, before: readonly string[]) => [...before, value]);
  });
  // kaniko's: nothing is pushed unless "--push", which is declared above, says so.
  const others = ['--no-push', ...DOCKER_FLAGS.map(({ declaration }) => declaration)];
  return [...options, ...others.map((declaration) => new Option(declaration).hideHelp())];
}

function shapeOf(option: Option): FlagShape {
  const takes = option.required ? 'value' : option.optional ? 'optional' : 'nothing';
  return { long: option.long ?? '', short: option.short, takes };
}

/** Warnings for the flags of docker's that are ignored. @throws ERR_UNSUPPORTED for one that must not be. */
function judgeDockerFlags(program: Command): readonly string[] {
  const warnings: string[] = [];
  const isolation: unknown = program.getOptionValue('isolation');
  if (isolation !== 'default' && OTHER_ISOLATIONS.some((other) => other === isolation)) {
    warnings.push(
      `The isolation "${String(isolation)}" is another builder's: the best that works is used`,
    );
  }
  for (const { declaration, refusal, harmless } of DOCKER_FLAGS) {
    const { long, name } = describe(declaration);
    const value: unknown = program.getOptionValue(name);
    if (value === undefined || (typeof value === 'string' && harmless?.includes(value))) continue;
    if (refusal === undefined) warnings.push(`The flag "${long}" has no effect here`);
    else throw unsupportedFlag(long, refusal);
  }
  return warnings;
}

function describe(declaration: string): { readonly long: string; readonly name: string } {
  const option = new Option(declaration);
  return { long: option.long ?? '', name: option.attributeName() };
}

function unsupportedFlag(flag: string, hint: string): TsbuildError {
  return new TsbuildError('ERR_UNSUPPORTED', {
    message: `Cannot use "${flag}": this version does not have it`,
    details: { feature: flag },
    hint,
  });
}

function wrongContextCount(contexts: readonly string[]): TsbuildError {
  if (contexts.length === 0) {
    return usage(
      'Cannot build without a context',
      'Name the directory with your files, e.g. "tsbuild .".',
    );
  }
  const named = contexts.map((context) => `"${context}"`).join(', ');
  return usage(
    `Cannot build ${contexts.length} contexts at once: ${named}`,
    'Name one directory. A flag may be missing before one of these.',
  );
}
