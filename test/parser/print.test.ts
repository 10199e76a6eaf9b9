import assert from 'node:assert/strict';
import { corpusTexts, whyNoCorpus } from '../support/corpus.ts';
import { itUnless } from '../support/missing.ts';
import {
  type Dockerfile,
  type Instruction,
  parseDockerfile,
  parseDockerfileWithErrors,
  print,
} from '../../parser/index.ts';

const SOURCE = `\uFEFF# syntax = docker/dockerfile:1\r
# about  \r
\r
  From  --platform=linux/amd64  alpine:3   as  b  \r
COPY a \\\r
  # between\r
  b "c" /d/\r
copy ["e f", "/g"]\t
ENV A=1 B="two \\
 words"
LABEL old  style
ARG X Y=z
RUN --mount="type=cache,target=/a b" <<-EOF
\t\techo
\tEOF
EXPOSE 90   80

# end`;

/** A copy in which the instruction of this kind and number is what `change` makes of it. */
function change<K extends Instruction['kind']>(
  kind: K,
  number: number,
  replace: (instruction: Instruction & { kind: K }) => Instruction,
): string {
  const ast = parseDockerfile(SOURCE);
  const matches = ast.instructions.filter(
    (instruction): instruction is Instruction & { kind: K } => instruction.kind === kind,
  );
  const target = matches[number];
  assert.ok(target !== undefined);
  const instructions = ast.instructions.map((instruction) =>
    instruction === target ? replace(target) : instruction,
  );
  return print({ ...ast, instructions });
}

/** `SOURCE` with one part replaced, which must be there once. */
function expected(before: string, after: string): string {
  assert.equal(SOURCE.split(before).length, 2);
  return SOURCE.replace(before, () => after);
}

describe('print()', () => {
  it('gives the same text: byte order mark, CRLF, white space, comments, heredocs', () => {
    assert.equal(print(parseDockerfile(SOURCE)), SOURCE);
  });

  it('gives the same text of a file that is wrong', () => {
    const text = 'FROM a\nFOO \\\n b\n\n ENV c\nRUN <<E\n# x\n';
    assert.equal(print(parseDockerfileWithErrors(text).dockerfile), text);
  });

  it('finds nothing but blanks between the nodes', () => {
    assert.match(between(parseDockerfile(SOURCE)), /^[\s\uFEFF]*$/);
  });

  it('writes another image, and nothing else', () => {
    const text = change('from', 0, (from) => ({
      ...from,
      image: { ...from.image, text: 'debian:13' },
    }));
    assert.equal(text, expected('alpine:3', 'debian:13'));
  });

  it('writes another path, as a JSON string where it was one', () => {
    const renamed = (number: number, index: number, text: string): string =>
      change('copy', number, (copy) => ({
        ...copy,
        sources: copy.sources.map((source, at) =>
          at === index && source.kind === 'path' ? { ...source, text } : source,
        ),
      }));
    assert.equal(renamed(0, 2, 'new'), expected('"c"', 'new'));
    assert.equal(renamed(1, 0, 'a "b"'), expected('"e f"', '"a \\"b\\""'));
  });

  it('writes other pairs, arguments, ports, flags and keywords', () => {
    const pairs = change('env', 0, (env) => ({
      ...env,
      pairs: env.pairs.map((pair) => (pair.name === 'B' ? { ...pair, value: '2' } : pair)),
    }));
    assert.equal(pairs, expected('B="two \\\n words"', 'B=2'));
    const legacy = change('label', 0, (label) => ({
      ...label,
      pairs: label.pairs.map((pair) => ({ ...pair, name: 'new' })),
    }));
    assert.equal(legacy, expected('old  style', 'new style'));
    const args = change('arg', 0, (arg) => ({
      ...arg,
      args: arg.args.map((declared) => ({ ...declared, default: '1' })),
    }));
    assert.equal(args, expected('ARG X Y=z', 'ARG X=1 Y=1'));
    const ports = change('expose', 0, (expose) => ({
      ...expose,
      ports: expose.ports.map((port) => (port.text === '90' ? { ...port, text: '91' } : port)),
    }));
    assert.equal(ports, expected('90', '91'));
    const flags = change('run', 0, (run) => ({
      ...run,
      keyword: 'run',
      flags: run.flags.map((flag) => ({ ...flag, value: 'type=tmpfs,target=/a b' })),
    }));
    const mount = '--mount="type=tmpfs,target=/a b"';
    const found = expected('RUN --mount="type=cache,target=/a b"', `run ${mount}`);
    assert.equal(flags, found);
  });

  it('writes another heredoc, comment and directive', () => {
    const run = change('run', 0, (run) => ({
      ...run,
      heredocs: run.heredocs.map((heredoc) => ({ ...heredoc, content: 'new\n' })),
    }));
    assert.equal(run, expected('\t\techo\n\tEOF', 'new\nEOF'));
    const ast = parseDockerfile(SOURCE);
    const comments = ast.comments.map((comment) => ({ ...comment, text: ' x' }));
    const text = print({
      ...ast,
      comments,
      directives: ast.directives.map((directive) => ({ ...directive, value: 'y' })),
    });
    const changed = SOURCE.replace('# syntax = docker/dockerfile:1', '# syntax=y');
    assert.equal(text, changed.replace(/# (?:about {2}|between|end)/g, '# x'));
  });

  it('refuses what it cannot write, and says what', () => {
    const ast = parseDockerfile(SOURCE);
    assert.throws(
      () => print({ ...ast, instructions: ast.instructions.slice(1) }),
      (error) => error instanceof TypeError && error.message.includes('"instructions.'),
    );
    assert.throws(
      () => change('from', 0, (from) => ({ ...from, name: 'c' })),
      new TypeError(
        'Cannot print a change of "instructions.0.name": edit the text, and parse it again',
      ),
    );
    assert.throws(() => print({ ...ast, source: 'FROM b' }), TypeError);
  });

  itUnless(whyNoCorpus())('gives the same text of every file of ../shared/corpus', async () => {
    for (const text of corpusTexts()) {
      const { dockerfile, errors } = parseDockerfileWithErrors(text);
      assert.equal(print(dockerfile), text);
      if (errors.length === 0) assert.match(between(dockerfile), /^[\s\uFEFF\x85]*$/);
    }
  });
});

/** What no instruction, comment or directive covers. */
function between({ source, instructions, comments, directives }: Dockerfile): string {
  const characters = source
    .split('\n')
    .map((line) => Array.from({ length: line.length }, (_, at) => line[at]));
  for (const { range } of [...instructions, ...comments, ...directives]) {
    for (let line = range.start.line; line <= range.end.line; line++) {
      const from = line === range.start.line ? range.start.column : 0;
      const to = line === range.end.line ? range.end.column : Number.POSITIVE_INFINITY;
      characters[line - 1] = (characters[line - 1] ?? []).map((character, at) =>
        at >= from && at < to ? '' : character,
      );
    }
  }
  return characters.flat().join('');
}
