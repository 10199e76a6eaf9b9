/**
 * The strict level: nodes → AST, with every check that BuildKit makes when it turns a parsed file
 * into a list of instructions. One function for each kind; COPY, ADD and HEALTHCHECK have files of
 * their own.
 */

import { suggest } from '../src/errors.ts';
import type {
  ArgDeclaration,
  ArgInstruction,
  CommandInstruction,
  ExposeInstruction,
  Flag,
  FromInstruction,
  Instruction,
  MaintainerInstruction,
  OnbuildInstruction,
  Pair,
  PairsInstruction,
  ShellInstruction,
  VolumeInstruction,
  WordInstruction,
} from './ast.ts';
import { decodeFlag, FLAGS, readFlags } from './flags.ts';
import type { Span } from './grammar.ts';
import { lowerAdd, lowerCopy } from './lower-copy.ts';
import { lowerHealthcheck } from './lower-healthcheck.ts';
import { lowerRun } from './lower-run.ts';
import {
  argumentSpans,
  failInstruction,
  freezeTexts,
  instructionBase,
  type Lowering,
  spanRange,
  toCommand,
  toWord,
} from './lowering.ts';
import type { InstructionNode } from './nodes.ts';
import { trimSpace } from './whitespace.ts';

/** Turns a node into an instruction. Throws ERR_INSTRUCTION_INVALID with a location. */
export function lowerInstruction(
  node: InstructionNode,
  from: { readonly file: string; readonly source: string },
): Instruction {
  const keyword = node.parsed.keyword.text;
  const lower = LOWER.get(keyword.toLowerCase());
  const place = { node, file: from.file, source: from.source };
  if (lower === undefined) {
    return failInstruction(place, `unknown instruction: ${keyword}${suggestKeyword(keyword)}`);
  }
  const lowering: Lowering = {
    ...place,
    name: keyword.toUpperCase(),
    args: node.parsed.arguments,
    flags: toFlags(node),
  };
  return Object.freeze(lower(lowering));
}

const LOWER: ReadonlyMap<string, (lowering: Lowering) => Instruction> = new Map<
  string,
  (lowering: Lowering) => Instruction
>([
  ['add', lowerAdd],
  ['arg', lowerArg],
  ['cmd', (lowering) => lowerCommand(lowering, 'cmd')],
  ['copy', lowerCopy],
  ['entrypoint', (lowering) => lowerCommand(lowering, 'entrypoint')],
  ['env', (lowering) => lowerPairs(lowering, 'env')],
  ['expose', lowerExpose],
  ['from', lowerFrom],
  ['healthcheck', lowerHealthcheck],
  ['label', (lowering) => lowerPairs(lowering, 'label')],
  ['maintainer', lowerMaintainer],
  ['onbuild', lowerOnbuild],
  ['run', lowerRun],
  ['shell', lowerShell],
  ['stopsignal', (lowering) => lowerWord(lowering, 'stopsignal')],
  ['user', (lowering) => lowerWord(lowering, 'user')],
  ['volume', lowerVolume],
  ['workdir', (lowering) => lowerWord(lowering, 'workdir')],
]);

/** In the case of the word itself, as far as it has one (LEX-8). */
function suggestKeyword(keyword: string): string {
  // Of two equally close ones, the one that begins alike is likelier to be meant.
  const initial = keyword.charAt(0).toLowerCase();
  const alike = [...LOWER.keys()].filter((known) => known.startsWith(initial));
  const match = suggest(keyword, [...alike, ...LOWER.keys()]);
  if (match === undefined) return '';
  const isUpper = keyword === keyword.toUpperCase() && keyword !== keyword.toLowerCase();
  return ` (did you mean ${isUpper ? match.toUpperCase() : match}?)`;
}

function toFlags(node: InstructionNode): readonly Flag[] {
  const flags = node.parsed.flags.map((span): Flag => {
    const text = decodeFlag(span.text).slice(2);
    const equals = text.indexOf('=');
    return Object.freeze({
      name: equals < 0 ? text : text.slice(0, equals),
      value: equals < 0 ? undefined : text.slice(equals + 1),
      range: node.line.locate(span.start, span.end),
    });
  });
  return Object.freeze(flags);
}

/** FROM-1, FROM-2. */
function lowerFrom(lowering: Lowering): FromInstruction {
  const words = argumentSpans(lowering.args);
  const [image, as, name] = words;
  const isNamed = words.length === 3 && as?.text.toLowerCase() === 'as';
  if (image === undefined || (words.length !== 1 && !isNamed)) {
    const { range } = lowering.node;
    const hint = `A stage gets its name with AS: "FROM ${image?.text ?? 'IMAGE'} AS ${words.at(-1)?.text ?? 'NAME'}".`;
    const problem = 'FROM requires either one or three arguments';
    return failInstruction(lowering, problem, range, words.length === 2 ? hint : undefined);
  }
  if (isNamed && name !== undefined && !STAGE_NAME.test(name.text.toLowerCase())) {
    const problem = `invalid name for build stage: "${name.text}", name can't start with a number or contain symbols`;
    return failInstruction(lowering, problem, spanRange(lowering, name));
  }
  const flags = readFlags(lowering, FLAGS.from);
  return {
    ...instructionBase(lowering),
    kind: 'from',
    image: toWord(lowering, image),
    name: isNamed ? name?.text : undefined,
    platform: flags.text('platform') || undefined,
  };
}

const STAGE_NAME = /^[a-z][a-z0-9\-_.]*$/;

/** CMD and ENTRYPOINT: anything goes (FORM-7). */
function lowerCommand(lowering: Lowering, kind: CommandInstruction['kind']): CommandInstruction {
  readFlags(lowering, FLAGS.none);
  return { ...instructionBase(lowering), kind, command: toCommand(lowering.args) };
}

/** ENV-1. */
function lowerPairs(lowering: Lowering, kind: PairsInstruction['kind']): PairsInstruction {
  readFlags(lowering, FLAGS.none);
  const { args } = lowering;
  if (args.shape !== 'pairs' && args.shape !== 'legacy') {
    return failInstruction(lowering, `${lowering.name} requires at least one argument`);
  }
  const pairs =
    args.shape === 'legacy'
      ? [legacyPair(lowering, args)]
      : args.words.map((word) => splitPair(lowering, word));
  return {
    ...instructionBase(lowering),
    kind,
    pairs: Object.freeze(pairs),
    legacy: args.shape === 'legacy',
  };
}

function legacyPair(lowering: Lowering, args: { name: Span; value: Span }): Pair {
  const range = spanRange(lowering, { start: args.name.start, end: args.value.end });
  return Object.freeze({ name: args.name.text, value: args.value.text, range });
}

function splitPair(lowering: Lowering, word: Span): Pair {
  const equals = word.text.indexOf('=');
  const range = spanRange(lowering, word);
  if (equals === 0) {
    return failInstruction(lowering, `${lowering.name} names can not be blank`, range);
  }
  const name = word.text.slice(0, equals);
  return Object.freeze({ name, value: word.text.slice(equals + 1), range });
}

/** ARG-1. BuildKit never looks at the flags of ARG, nor do we. */
function lowerArg(lowering: Lowering): ArgInstruction {
  const words = argumentSpans(lowering.args);
  if (words.length === 0) return failInstruction(lowering, 'ARG requires at least one argument');
  const args = words.map((word): ArgDeclaration => {
    const range = spanRange(lowering, word);
    const equals = word.text.indexOf('=');
    if (equals === 0) return failInstruction(lowering, 'ARG names can not be blank', range);
    return Object.freeze({
      name: equals < 0 ? word.text : word.text.slice(0, equals),
      default: equals < 0 ? undefined : word.text.slice(equals + 1),
      range,
    });
  });
  return { ...instructionBase(lowering), kind: 'arg', args: Object.freeze(args) };
}

/** META-1: the words are sorted before they are expanded. */
function lowerExpose(lowering: Lowering): ExposeInstruction {
  const words = argumentSpans(lowering.args);
  if (words.length === 0) return failInstruction(lowering, 'EXPOSE requires at least one argument');
  readFlags(lowering, FLAGS.none);
  const ports = words
    .map((word) => toWord(lowering, word))
    .sort((a, b) => (a.text < b.text ? -1 : Number(a.text > b.text)));
  return { ...instructionBase(lowering), kind: 'expose', ports: Object.freeze(ports) };
}

/** META-2. */
function lowerVolume(lowering: Lowering): VolumeInstruction {
  const words = argumentSpans(lowering.args);
  if (words.length === 0) return failInstruction(lowering, 'VOLUME requires at least one argument');
  readFlags(lowering, FLAGS.none);
  const paths = words.map((word) => {
    const path = trimSpace(word.text);
    return path === ''
      ? failInstruction(lowering, 'VOLUME specified can not be an empty string')
      : path;
  });
  return { ...instructionBase(lowering), kind: 'volume', paths: Object.freeze(paths) };
}

/** META-3, META-4, META-6. BuildKit never looks at the flags of STOPSIGNAL, nor do we. */
function lowerWord(lowering: Lowering, kind: WordInstruction['kind']): WordInstruction {
  const value = oneArgument(lowering);
  if (kind !== 'stopsignal') readFlags(lowering, FLAGS.none);
  return { ...instructionBase(lowering), kind, value };
}

/** ENV-5. */
function lowerMaintainer(lowering: Lowering): MaintainerInstruction {
  const name = oneArgument(lowering);
  readFlags(lowering, FLAGS.none);
  return { ...instructionBase(lowering), kind: 'maintainer', name };
}

function oneArgument(lowering: Lowering): string {
  const { args, name } = lowering;
  if (args.shape === 'text') return args.text.text;
  return failInstruction(lowering, `${name} requires exactly one argument`);
}

/** HC-4. The trigger's own arguments are checked when it is triggered. */
function lowerOnbuild(lowering: Lowering): OnbuildInstruction {
  const { args, node } = lowering;
  if (args.shape !== 'trigger') {
    return failInstruction(lowering, 'ONBUILD requires at least one argument');
  }
  readFlags(lowering, FLAGS.none);
  const keyword = args.line.keyword.text.toUpperCase();
  if (keyword === 'ONBUILD') {
    return failInstruction(lowering, "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
  }
  if (keyword === 'MAINTAINER' || keyword === 'FROM') {
    return failInstruction(lowering, `${keyword} isn't allowed as an ONBUILD trigger`);
  }
  const line = node.line.text.slice(args.line.keyword.start);
  const bodies = node.heredocs.map((heredoc) => `\n${heredoc.content}${heredoc.name}`);
  return { ...instructionBase(lowering), kind: 'onbuild', trigger: line + bodies.join('') };
}

/** CMD-4. */
function lowerShell(lowering: Lowering): ShellInstruction {
  readFlags(lowering, FLAGS.none);
  const { args } = lowering;
  if (args.shape === 'none' || (args.shape === 'array' && args.values.length === 0)) {
    return failInstruction(lowering, 'SHELL requires at least one argument');
  }
  if (args.shape !== 'array') {
    return failInstruction(lowering, 'SHELL requires the arguments to be in JSON form');
  }
  return { ...instructionBase(lowering), kind: 'shell', argv: freezeTexts(args.values) };
}
