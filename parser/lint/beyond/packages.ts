/** Checks of apt-get, apk and pip: what they leave in a layer, and what they install unasked. */

import type { Dockerfile, RunInstruction } from '../../ast.ts';
import { mayCover } from '../mounts.ts';
import type { Edit, Fix } from '../options.ts';
import type { SourceLines } from '../source-lines.ts';
import { type BeyondChecks, type BeyondStage, insertBehind, type StageRun } from './context.ts';
import { findInstall, type Install } from './installs.ts';
import { checkSorted } from './package-lists.ts';
import { OWN_RULES } from './rules.ts';
import type { Call } from './run-scripts.ts';

/** Only the layers of images are looked at for what is left in them. */
export function checkPackages(stage: BeyondStage, checks: BeyondChecks): void {
  for (const run of [...stage.runs, ...stage.triggerRuns]) {
    const installs = run.calls.flatMap((call) => findInstall(call) ?? []);
    for (const install of installs) checkSorted(install, run, checks);
    checkUpdate(run, checks);
    if (!stage.isImage) continue;
    checkLists(run, checks);
    for (const install of installs) {
      if (install.manager === 'apt') checkRecommends(install, run, checks);
      else if (install.manager === 'apk') checkApk(install, run, checks);
      else checkPip(install, stage, { run, checks });
    }
  }
}

const isApt = ({ name }: Call): boolean => name === 'apt-get' || name === 'apt';

function hasVerb(call: Call, verb: string): boolean {
  return isApt(call) && call.args.some(({ value }) => value === verb);
}

const LISTS = '/var/lib/apt/lists';

function checkLists(run: StageRun, { reporter, lines, needsAptLists }: BeyondChecks): void {
  const update = run.calls.findIndex((call) => hasVerb(call, 'update'));
  const install = run.calls.findLastIndex((call) => hasVerb(call, 'install'));
  if (update < 0 || install < update || isMounted(run.run, LISTS)) return;
  if (run.calls.some(removesLists)) return;
  const find = (): Fix | undefined => {
    const edit = needsAptLists() ? undefined : addCommand(run, lines);
    return edit && { description: 'remove the package lists', edits: [edit] };
  };
  reporter.fixable(run.at, find)(OWN_RULES.AptListsKept);
}

function isMounted({ mounts }: RunInstruction, directory: string): boolean {
  return mounts.some((mount) => mayCover(mount, directory));
}

function removesLists(call: Call): boolean {
  if (hasVerb(call, 'dist-clean') || hasVerb(call, 'distclean')) return true;
  if (!['rm', 'find', 'truncate'].includes(call.name)) return false;
  return call.args.some(({ text }) => /\/var\/lib\/(?:apt|\*|\{)|\bapt\/lists\b/.test(text));
}

/** Triggers run where nobody knows what was done before. */
export function needsAptLists(
  stages: readonly BeyondStage[],
  { instructions }: Dockerfile,
): boolean {
  return (
    stages.some(({ runs }) => runs.some(installsWithoutUpdate)) ||
    instructions.some(({ kind, text }) => kind === 'onbuild' && /\bapt\b/.test(text))
  );
}

function installsWithoutUpdate({ calls }: StageRun): boolean {
  const update = calls.findIndex((call) => hasVerb(call, 'update'));
  const install = calls.findIndex((call) => hasVerb(call, 'install'));
  return install >= 0 && (update < 0 || install < update);
}

/** What a configuration file or a variable says for all that is installed. */
export function decidedBy({ source }: Dockerfile): BeyondChecks['decides'] {
  return {
    aptRecommends: /Install-Recommends/i.test(source.replaceAll('--no-install-recommends', '')),
    pipCache: /PIP_NO_CACHE_DIR|pip\.conf|config\s+(?:--\S+\s+)?set\s+\S*no-cache-dir/.test(source),
  };
}

const REMOVE = 'rm -rf /var/lib/apt/lists/*';

/** At the end of the line, or on a line of its own where the RUN has several. */
function addCommand({ run, scripts, calls }: StageRun, source: SourceLines): Edit | undefined {
  const [script] = scripts;
  if (script?.kind !== 'line' || !script.parsed.isExtendable || run.heredocs.length > 0) {
    return undefined;
  }
  const last = calls.at(-1);
  if (last === undefined || ['exit', 'exec', 'return'].includes(last.name)) return undefined;
  const { end } = script.parsed;
  const place = script.locate(end - 1, end)?.end;
  if (place === undefined) return undefined;
  const range = { start: place, end: place };
  const lines = source.slice(run.range).split('\n');
  const line = lines[place.line - run.range.start.line] ?? '';
  if (place.line === run.range.start.line) return { range, text: ` && ${REMOVE}` };
  const before = lines[place.line - run.range.start.line - 1] ?? '';
  const continuation = /[\\`](?=[ \t\r]*$)/.exec(before)?.[0] ?? '\\';
  const newline = before.endsWith('\r') ? '\r\n' : '\n';
  const indent = /^[ \t]*/.exec(line)?.[0] ?? '';
  return { range, text: ` ${continuation}${newline}${indent}&& ${REMOVE}` };
}

function checkRecommends(install: Install, { at }: StageRun, checks: BeyondChecks): void {
  const { args } = install.call;
  const isSaid = args.some(({ text }) => /install-recommends|OPT|FLAG|ARG/i.test(text));
  if (isSaid || checks.decides.aptRecommends || install.packages.length === 0) return;
  checks.reporter.fixable(at, () => addFlag(install, '--no-install-recommends'))(
    OWN_RULES.AptRecommendsInstalled,
  );
}

function addFlag({ verb, call }: Install, flag: string): Fix | undefined {
  const edit = insertBehind(verb, call.script, ` ${flag}`);
  return edit && { description: `add ${flag}`, edits: [edit] };
}

/** What may stand beside an update that is alone: it needs no lists. */
const IDLE = new Set(
  'apt-get apt rm set echo export true : printf mv sed cat tee mkdir dpkg sleep chmod [ test'.split(
    ' ',
  ),
);
const USES = /^(?:install|upgrade|dist-upgrade|full-upgrade|build-dep|source|download|satisfy)$/;

function checkUpdate({ run, at, calls }: StageRun, { reporter }: BeyondChecks): void {
  if (!calls.some((call) => hasVerb(call, 'update')) || isMounted(run, LISTS)) return;
  const isUsed = calls.some(
    (call) => !IDLE.has(call.name) || call.args.some(({ value }) => USES.test(value ?? 'install')),
  );
  if (!isUsed) reporter.at(at)(OWN_RULES.AptUpdateAlone);
}

function checkApk(
  install: Install,
  { run, at, calls }: StageRun,
  { reporter }: BeyondChecks,
): void {
  if (
    install.call.args.some(({ text }) =>
      /^--(?:no-cache|no-network|cache-dir)|FLAG|OPT|ARG/.test(text),
    )
  ) {
    return;
  }
  const isRemoved = calls.some(
    ({ name, args }) => name === 'rm' && args.some(({ text }) => /\/var\/cache(?:\/|$)/.test(text)),
  );
  const isKept = ['/var/cache/apk', '/etc/apk/cache'].some((path) => isMounted(run, path));
  if (isRemoved || isKept || install.packages.length === 0) return;
  reporter.fixable(at, () => addFlag(install, '--no-cache'))(OWN_RULES.ApkCacheKept);
}

function checkPip(
  install: Install,
  { scope }: BeyondStage,
  { run, checks }: { readonly run: StageRun; readonly checks: BeyondChecks },
): void {
  const { call, packages } = install;
  const isOff =
    scope?.variables.has('PIP_NO_CACHE_DIR') === true ||
    checks.decides.pipCache ||
    call.args.some(({ text }) => /^--(?:no-cach|cache-dir)|FLAG|OPT|ARG/.test(text));
  const isRemoved = run.calls.some(
    ({ name, args }) =>
      (name === 'rm' && args.some(({ text }) => text.includes('.cache'))) ||
      args.some(({ value }) => value === 'purge'),
  );
  const isKept = /cache/.test(run.run.mounts.filter((mount) => /type=cache/.test(mount)).join());
  if (isOff || isRemoved || isKept || packages.length === 0) return;
  checks.reporter.fixable(run.at, () => addFlag(install, '--no-cache-dir'))(OWN_RULES.PipCacheKept);
}
