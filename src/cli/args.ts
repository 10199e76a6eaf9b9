/** argv to flags: what there is to say on the command line, and its help. */

import { Command, Option } from 'commander';
import { TsbuildError } from '../index.ts';
import { type FlagShape, normalizeArgv, usage } from './argv.ts';
import { DOCKER_FLAGS, OTHER_ISOLATIONS } from './docker-flags.ts';

/** The command line as typed: nothing looked up, nothing converted. */
export interface Flags {
  readonly context: string;
  readonly file?: string;
  readonly ignorefile?: string;
  readonly tag: readonly string[];
  readonly output: readonly string[];
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
  readonly addHost: readonly string[];
  readonly network?: string;
  readonly isolation?: string;
  readonly shmSize?: string;
  readonly ulimit: readonly string[];
  readonly pull?: string;
  readonly jobs?: string;
  readonly quiet?: boolean;
  readonly progress?: string;
  readonly call?: string;
  readonly check?: boolean;
  readonly fix?: boolean;
}

/** What a command line asks for. */
export type CommandLine =
  | { readonly kind: 'help'; readonly text: string }
  | { readonly kind: 'version' }
  | { readonly kind: 'build'; readonly flags: Flags; readonly warnings: readonly string[] };

/**
 * Reads a command line (without the program's name).
 * @throws ERR_USAGE for what it cannot understand, ERR_UNSUPPORTED for docker's flags that are not here yet.
 */
export function parseArgs(argv: readonly string[]): CommandLine {
  const program = createProgram();
  const own = argv[0] === 'build' ? argv.slice(1) : argv;
  const { flags, positionals } = normalizeArgv(own, program.options.map(shapeOf));
  if (flags.includes('--help')) return { kind: 'help', text: program.helpInformation() };
  if (flags.includes('--version')) return { kind: 'version' };
  program.parse([...flags], { from: 'user' });
  const warnings = judgeDockerFlags(program);
  const [context, ...more] = positionals;
  if (context === undefined || more.length > 0) throw wrongContextCount(positionals);
  return { kind: 'build', flags: { ...program.opts<Omit<Flags, 'context'>>(), context }, warnings };
}

function createProgram(): Command {
  const program = new Command('tsbuild')
    .usage('[build] [flags] CONTEXT')
    .description(
      'Builds a Dockerfile into an OCI image. CONTEXT is a directory, the URL of a tar, a Dockerfile or a git repository, or - for a tar or a Dockerfile on standard input.',
    )
    .helpOption(false)
    .exitOverride();
  for (const option of createOptions()) program.addOption(option);
  return program;
}

function createOptions(): readonly Option[] {
  const list = (declaration: string, text: string): Option =>
    new Option(declaration, text)
      .default([], 'none')
      .argParser((value, before: readonly string[]) => [...before, value]);
  return [
    new Option(
      '-f, --file <file>',
      'the Dockerfile: a path, a URL or - (default: CONTEXT/Dockerfile)',
    ),
    new Option('--ignorefile <file>', 'the ignore file (default: .dockerignore, .containerignore)'),
    list('-t, --tag <name>', 'the image name, e.g. registry.example/app:1.2'),
    list('-o, --output <output>', 'where the image goes, e.g. type=oci,dest=image.tar'),
    new Option('--target <stage>', 'the stage to build (default: the last)'),
    list('--build-arg <name[=value]>', 'a value for ARG; without "=" from the environment'),
    list('--label <name=value>', 'a label of the image'),
    new Option('--no-cache', 'run every step anew'),
    list('--no-cache-filter <stages>', 'run every step of these stages anew'),
    list('--build-context <name=source>', 'a further context: directory, URL, oci-layout://, …'),
    list('--platform <platform>', 'os/architecture[/variant] (default: of this machine)'),
    list('--secret <secret>', 'id=NAME[,src=FILE|env=VARIABLE], for RUN --mount=type=secret'),
    list('--add-host <name:address>', 'a line of /etc/hosts in RUN'),
    new Option('--network <mode>', 'the network of RUN: default, none or host'),
    new Option('--isolation <mode>', 'of RUN: auto (the best that works), root, subids or single'),
    new Option('--shm-size <size>', 'the size of /dev/shm in RUN, e.g. 64m'),
    list('--ulimit <name=soft[:hard]>', 'a limit of the processes of RUN'),
    new Option('--pull [policy]', 'always ask the registry (which is what happens anyway)'),
    new Option(
      '--jobs <number>',
      'how many RUNs, and layer jobs, at once (default: processors, at least 8 RUNs)',
    ),
    new Option('-q, --quiet', 'print nothing but the digest'),
    new Option('--progress <kind>', 'auto, plain, quiet or none'),
    new Option('--check', 'build nothing: say what is wrong with the Dockerfile'),
    new Option('--fix', 'with --check: mend the Dockerfile where that needs no judgement'),
    new Option(
      '--call <method>',
      'build, check[,format=json|sarif][,ignorestatus=true], outline or targets[,format=json]',
    ),
    new Option('-h, --help', 'print this help'),
    new Option('-v, --version', 'print the version'),
    ...DOCKER_FLAGS.map(({ declaration }) => new Option(declaration).hideHelp()),
  ];
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
    warnings.push(`The isolation "${String(isolation)}" is another builder's: the best that works is used`);
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
