/** Checks of COPY, ADD and RUN as layers: what spoils the cache, and what is one too many. */

import type { AddInstruction, CopyInstruction, Instruction, RunInstruction } from '../../ast.ts';
import { replaceKeyword } from '../fixes-written.ts';
import type { Fix } from '../options.ts';
import { type BeyondChecks, type BeyondStage, chainOf, type StageRun } from './context.ts';
import { type DependencyInstall, findDependencyInstall } from './dependencies.ts';
import { OWN_RULES } from './rules.ts';
import { baseName } from './run-scripts.ts';

/** Looks at the instructions of a stage. */
export function checkLayers(stage: BeyondStage, checks: BeyondChecks): void {
  for (const instruction of stage.stage.instructions) {
    if (instruction.kind === 'add') checkAdd(instruction, checks);
  }
  checkDependencies(stage, checks);
  if (stage.isImage) checkRuns(stage, checks);
}

const URL = /^(?:https?|git|ssh|ftp):\/\/|^git@|\.git(?:#.*)?$/i;
/** Also packages that are tars by another name. */
const ARCHIVE =
  /\.(?:apk|box|crate|gem|ova|tar|t[gblx]z2?|tzst|gz|bz2|xz|zst|lzma|z|\*|[^.]*\*)(?:\.[^.]*)?$/i;

function checkAdd(add: AddInstruction, { reporter, lines }: BeyondChecks): void {
  const { sources, checksum, keepGitDir, unpack } = add;
  for (const source of sources) {
    if (source.kind !== 'path' || !/^https?:\/\//i.test(source.text)) continue;
    const isGit = /\.git(?:#.*)?$/i.test(source.text);
    if (checksum === undefined && !isGit) {
      reporter.at(add)(OWN_RULES.AddWithoutChecksum, source.text);
    }
  }
  if (checksum !== undefined || keepGitDir !== undefined || unpack !== undefined) return;
  const names = sources.map((source) => (source.kind === 'path' ? source.text : ''));
  if (names.some((name) => name.includes('$') || URL.test(name) || mayBeArchive(name))) return;
  const isSure = names.every((name) => name === '' || isNoArchive(name));
  const find = (): Fix | undefined => {
    const { keyword } = add;
    const copy = keyword === keyword.toLowerCase() ? 'copy' : 'COPY';
    return isSure ? replaceKeyword(add, copy, lines) : undefined;
  };
  reporter.fixable(add, find)(OWN_RULES.AddLocalFile, names.find((name) => name !== '') ?? '<<');
}

function mayBeArchive(path: string): boolean {
  const name = baseName(path.replace(/["'\]]/g, ''));
  return ARCHIVE.test(name) || (/[*?[]/.test(name) && !/[*?\]]\.[\w-]+$/.test(name));
}

/** A directory, or a name with an ending of another kind of file: anything else could be an archive. */
function isNoArchive(path: string): boolean {
  return /(?:^|\/)\.{0,2}$|\/$/.test(path) || NO_ARCHIVE.test(baseName(path));
}

const NO_ARCHIVE =
  /[^./]\.(?:bat|c|cc|cer|cfg|cmd|cnf|conf|config|cpp|crt|cs|css|csv|deb|diff|ear|env|exe|go|gradle|gpg|h|html?|in|ini|j2|jar|java|json|key|kts?|list|lock|lua|m?jsx?|md|mod|patch|pem|php|pl|properties|proto|ps1|pub|py|rb|repo|rpm|rs|rules|scala|service|sh|socket|sql|sum|svg|template|tmpl|toml|tpl|tsx?|txt|vue|war|whl|xml|ya?ml|zip)$/i;

/** One report for each COPY that spoils something. */
function checkDependencies({ stage, runs }: BeyondStage, checks: BeyondChecks): void {
  const { reporter, options } = checks;
  // An ignore file that leaves out everything but some files lets only those through.
  if (options.dockerignore?.patterns.some((pattern) => /^\/?\*{1,2}(?:\/\*)?$/.test(pattern)))
    return;
  if (!stage.instructions.some(isWholeContext)) return;
  const bases = chainOf(stage).slice(0, -1);
  const seen = new Set(bases.flatMap(({ instructions }) => toolsOf(instructions)));
  const calls = new Map(runs.map((run) => [run.run, run.calls]));
  let copy: CopyInstruction | AddInstruction | undefined;
  for (const instruction of stage.instructions) {
    if (isWholeContext(instruction)) copy ??= instruction;
    if (instruction.kind !== 'run') continue;
    const install = installOf(calls.get(instruction) ?? []);
    if (install === undefined || seen.has(install.tool)) continue;
    seen.add(install.tool);
    if (copy === undefined || instruction.mounts.some((mount) => /type=cache/.test(mount)))
      continue;
    reporter.at(copy)(OWN_RULES.CopyBeforeDependencies, install.command, install.manifest);
    return;
  }
}

/** The words of the line are enough here: only that it was called counts. */
function toolsOf(instructions: readonly Instruction[]): readonly string[] {
  return instructions.flatMap(({ kind, text }) =>
    kind === 'run'
      ? (text.match(/\b(?:npm|yarn|pnpm|pip|bundle|go|cargo|composer|poetry|uv|mix|dotnet)\b/g) ??
        [])
      : [],
  );
}

function isWholeContext(instruction: Instruction): instruction is CopyInstruction | AddInstruction {
  if (instruction.kind !== 'copy' && instruction.kind !== 'add') return false;
  if (instruction.kind === 'copy' && instruction.from !== undefined) return false;
  return (
    instruction.exclude.length === 0 &&
    instruction.sources.some(
      (source) => source.kind === 'path' && /^["']?(?:\.\/?|\/|\.?\/?\*)["']?$/.test(source.text),
    )
  );
}

function installOf(calls: StageRun['calls']): DependencyInstall | undefined {
  for (const call of calls) {
    const install = findDependencyInstall(call);
    if (install !== undefined) return install;
  }
  return undefined;
}

/** Only what stands on adjacent lines: a blank line or a comment says that it is meant so. */
function checkRuns({ stage }: BeyondStage, { reporter }: BeyondChecks): void {
  let group: RunInstruction[] = [];
  const end = (): void => {
    const [first] = group;
    if (first !== undefined && group.length > 1) {
      reporter.at(first)(OWN_RULES.ConsecutiveRuns, String(group.length));
    }
    group = [];
  };
  for (const instruction of stage.instructions) {
    const last = group.at(-1);
    if (instruction.kind !== 'run' || instruction.command.form === 'exec') end();
    else if (last === undefined || isJoinable(last, instruction)) group.push(instruction);
    else {
      end();
      group.push(instruction);
    }
  }
  end();
}

function isJoinable(a: RunInstruction, b: RunInstruction): boolean {
  const flagsOf = ({ flags }: RunInstruction): string =>
    JSON.stringify(flags.map(({ name, value }) => [name, value]));
  return (
    b.range.start.line === a.range.end.line + 1 &&
    a.heredocs.length + b.heredocs.length === 0 &&
    flagsOf(a) === flagsOf(b)
  );
}
