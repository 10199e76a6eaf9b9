/**
 * The AST of a Dockerfile: a frozen, discriminated union in which every node has its exact range.
 *
 * Words are kept as written: quotes, escapes and `$variables` are still in them, because their
 * meaning depends on the stage's environment (`expandWord()` gives it). What a grammar can decide
 * is decided: flags are split and typed, exec form is told from shell form, heredoc bodies are cut
 * out, durations are numbers.
 */

import type { SourceRange } from '../src/errors.ts';

/** A parsed Dockerfile. Its nodes' ranges index into `source`. */
export interface Dockerfile {
  readonly kind: 'dockerfile';
  /** The file's name, as given to `parseDockerfile()`. */
  readonly file: string;
  readonly source: string;
  /** The escape character in force (DIR-4). */
  readonly escape: '\\' | '`';
  readonly directives: readonly Directive[];
  /** In file order: FROM starts a stage, ARGs before the first FROM are global. */
  readonly instructions: readonly Instruction[];
  /** Every whole-line comment, directives not included, in file order. */
  readonly comments: readonly Comment[];
  readonly warnings: readonly ParseWarning[];
}

/** `# syntax=…`, `# escape=…` or `# check=…` at the top of the file (DIR-1). */
export interface Directive {
  readonly kind: 'directive';
  readonly name: 'syntax' | 'escape' | 'check';
  readonly value: string;
  readonly range: SourceRange;
}

export interface Comment {
  readonly kind: 'comment';
  /** Without the `#`, not trimmed. */
  readonly text: string;
  readonly range: SourceRange;
}

/** What the parser accepts, but should not have been written so. */
export interface ParseWarning {
  readonly rule: 'NoEmptyContinuation';
  readonly message: string;
  readonly range: SourceRange;
}

interface InstructionBase {
  /** From the instruction's first character to the end of its last line, heredocs included. */
  readonly range: SourceRange;
  /** The keyword as typed, e.g. `RUN` or `run`. */
  readonly keyword: string;
  /** The logical line: continuations joined, comments and heredoc bodies left out (LEX-11). */
  readonly text: string;
  /** The comment lines directly above, nothing between (DIR-9, `# check=skip=` of DIR-8). */
  readonly leadingComments: readonly Comment[];
  /** Flags in the order written, also those that have a typed field. */
  readonly flags: readonly Flag[];
}

/** `--name`, `--name=value` as written, quotes and escapes resolved, variables not. */
export interface Flag {
  readonly name: string;
  /** Undefined when there was no `=`. */
  readonly value: string | undefined;
  readonly range: SourceRange;
}

/** A word of an instruction, quotes and variables as written. */
export interface Word {
  readonly text: string;
  readonly range: SourceRange;
}

/** `<<EOF` and its body (HD-1, HD-2). */
export interface Heredoc {
  readonly kind: 'heredoc';
  /** The delimiter, unquoted. */
  readonly name: string;
  /** The body, tabs already stripped for `<<-`; ends with a newline unless empty. */
  readonly content: string;
  /** False when any part of the delimiter was quoted: the body is not expanded. */
  readonly expand: boolean;
  /** `<<-`: leading tabs are stripped. */
  readonly chomp: boolean;
  readonly fileDescriptor: number;
  /** The body's lines and the terminator. */
  readonly range: SourceRange;
}

/** The two ways to write a command (FORM-5, FORM-7, FORM-8). */
export type Command = ExecCommand | ShellCommand;

export interface ExecCommand {
  readonly form: 'exec';
  readonly argv: readonly string[];
}

export interface ShellCommand {
  readonly form: 'shell';
  /** As given to the shell, heredocs of RUN not included. */
  readonly line: string;
}

export interface FromInstruction extends InstructionBase {
  readonly kind: 'from';
  readonly image: Word;
  /** The stage's name as typed, or undefined. */
  readonly name: string | undefined;
  readonly platform: string | undefined;
}

export interface RunInstruction extends InstructionBase {
  readonly kind: 'run';
  readonly command: Command;
  /** `--mount` values as written; `parseMount()` reads them after expansion (RUN-8, RUN-12). */
  readonly mounts: readonly string[];
  readonly network: 'default' | 'none' | 'host' | undefined;
  readonly security: 'sandbox' | 'insecure' | undefined;
  readonly devices: readonly string[];
  readonly heredocs: readonly Heredoc[];
}

export interface CopyInstruction extends InstructionBase {
  readonly kind: 'copy';
  readonly sources: readonly CopySource[];
  readonly destination: string;
  readonly from: string | undefined;
  readonly chown: string | undefined;
  readonly chmod: string | undefined;
  readonly link: boolean;
  readonly parents: boolean;
  readonly exclude: readonly string[];
}

export interface AddInstruction extends InstructionBase {
  readonly kind: 'add';
  readonly sources: readonly CopySource[];
  readonly destination: string;
  readonly chown: string | undefined;
  readonly chmod: string | undefined;
  readonly link: boolean;
  readonly exclude: readonly string[];
  readonly checksum: string | undefined;
  /** Undefined when the flag is absent: the default depends on the source. */
  readonly keepGitDir: boolean | undefined;
  readonly unpack: boolean | undefined;
}

/** What COPY or ADD copies: a path, pattern or address, or an inline file (CP-18). */
export type CopySource = ({ readonly kind: 'path' } & Word) | Heredoc;

/** CMD and ENTRYPOINT. */
export interface CommandInstruction extends InstructionBase {
  readonly kind: 'cmd' | 'entrypoint';
  readonly command: Command;
}

/** ENV and LABEL. */
export interface PairsInstruction extends InstructionBase {
  readonly kind: 'env' | 'label';
  readonly pairs: readonly Pair[];
  /** `ENV name rest of line` (ENV-1). */
  readonly legacy: boolean;
}

/** `name=value`, both as written. */
export interface Pair {
  readonly name: string;
  readonly value: string;
  readonly range: SourceRange;
}

export interface MaintainerInstruction extends InstructionBase {
  readonly kind: 'maintainer';
  readonly name: string;
}

export interface ExposeInstruction extends InstructionBase {
  readonly kind: 'expose';
  /** Sorted: BuildKit does that before it expands them (META-1). */
  readonly ports: readonly Word[];
}

export interface VolumeInstruction extends InstructionBase {
  readonly kind: 'volume';
  readonly paths: readonly string[];
}

/** USER, WORKDIR and STOPSIGNAL: one word. */
export interface WordInstruction extends InstructionBase {
  readonly kind: 'user' | 'workdir' | 'stopsignal';
  readonly value: string;
}

export interface ArgInstruction extends InstructionBase {
  readonly kind: 'arg';
  readonly args: readonly ArgDeclaration[];
}

export interface ArgDeclaration {
  readonly name: string;
  /** As written; undefined when there is no `=`. */
  readonly default: string | undefined;
  readonly range: SourceRange;
}

export interface OnbuildInstruction extends InstructionBase {
  readonly kind: 'onbuild';
  /** The trigger as it goes into the image config: one line, heredocs inlined after it (HC-4). */
  readonly trigger: string;
}

export interface HealthcheckInstruction extends InstructionBase {
  readonly kind: 'healthcheck';
  /** Undefined for `HEALTHCHECK NONE`. */
  readonly command: Command | undefined;
  /** Nanoseconds; 0 when not given (HC-1). */
  readonly interval: number;
  readonly timeout: number;
  readonly startPeriod: number;
  readonly startInterval: number;
  readonly retries: number;
}

export interface ShellInstruction extends InstructionBase {
  readonly kind: 'shell';
  readonly argv: readonly string[];
}

/** All 18 instructions. */
export type Instruction =
  | FromInstruction
  | RunInstruction
  | CopyInstruction
  | AddInstruction
  | CommandInstruction
  | PairsInstruction
  | MaintainerInstruction
  | ExposeInstruction
  | VolumeInstruction
  | WordInstruction
  | ArgInstruction
  | OnbuildInstruction
  | HealthcheckInstruction
  | ShellInstruction;
