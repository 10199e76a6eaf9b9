import assert from 'node:assert/strict';
import { detectSyntax, parseDockerfile, parseInstruction } from '../../parser/index.ts';
import type { SourceRange } from '../../src/errors.ts';
import { lastInStage } from './last-instruction.ts';

/** What a range covers, on its one line. */
function quote(source: string, { start, end }: SourceRange): string {
  assert.equal(start.line, end.line);
  return (source.split('\n')[start.line - 1] ?? '').slice(start.column, end.column);
}

const at = (line: number, column: number): { line: number; column: number } => ({ line, column });

describe('parseDockerfile(): lines', () => {
  it('LEX-2: ignores a byte order mark, and counts it as a column', () => {
    const { instructions } = parseDockerfile('\uFEFFFROM a\r\nRUN x\r\n');
    assert.deepEqual(instructions[0]?.range, { start: at(1, 1), end: at(1, 7) });
    assert.equal(instructions[1]?.text, 'RUN x');
  });

  it('LEX-4, LEX-5, LEX-6: joins lines, drops comments among them, keeps their white space', () => {
    const run = lastInStage('  RUN a \\  \n  # no\n  b \\\\\nRUN c', 'run');
    assert.equal(run.text, 'RUN c');
    const { instructions } = parseDockerfile('FROM x\n  RUN a \\  \n  # no\n  b \\\\\n');
    assert.equal(instructions[1]?.text, 'RUN a   b \\\\');
    assert.deepEqual(instructions[1]?.range, { start: at(2, 2), end: at(4, 6) });
  });

  it('LEX-7: warns of an empty line in a continuation, at the last line', () => {
    const { warnings } = parseDockerfile('FROM x\nRUN a \\\n\n b\n');
    assert.deepEqual(warnings, [
      {
        rule: 'NoEmptyContinuation',
        message: 'Empty continuation line found in: RUN a  b',
        range: { start: at(4, 0), end: at(4, 2) },
      },
    ]);
  });

  it('DIR-1, DIR-4: reads directives, and splits lines at the escape they set', () => {
    const file = parseDockerfile('# Syntax = docker/dockerfile:1\n#escape=`\nFROM a `\n AS b\n');
    assert.equal(file.escape, '`');
    assert.deepEqual(
      file.directives.map(({ name, value }) => [name, value]),
      [
        ['syntax', 'docker/dockerfile:1'],
        ['escape', '`'],
      ],
    );
    assert.equal(file.comments.length, 0);
    assert.equal(file.instructions[0]?.text, 'FROM a  AS b');
  });

  it('DIR-2: takes later directives for comments', () => {
    const { directives, comments } = parseDockerfile('\n# escape=`\nFROM a\n');
    assert.deepEqual([directives.length, comments[0]?.text], [0, ' escape=`']);
  });

  it('DIR-9: gives instructions the comments directly above them', () => {
    const text = '# far\n\n# one\n# two\nFROM a\n#\n# three\nRUN x \\\n# inside\n y\nRUN z\n';
    const { comments, instructions } = parseDockerfile(text);
    assert.equal(comments.length, 6);
    assert.deepEqual(
      instructions.map((found) => found.leadingComments.map((comment) => comment.text)),
      [[' one', ' two'], [' three'], []],
    );
  });
});

describe('parseDockerfile(): instructions', () => {
  it('FROM-1: reads a stage', () => {
    const source = 'FROM --platform=linux/arm64 alpine:3 as Build';
    const [from] = parseDockerfile(source).instructions;
    assert.ok(from?.kind === 'from');
    assert.deepEqual(
      [from.image.text, from.name, from.platform],
      ['alpine:3', 'Build', 'linux/arm64'],
    );
    assert.equal(quote(source, from.image.range), 'alpine:3');
  });

  it('gives words their place, across continuations', () => {
    const source = 'FROM x\nCOPY --from=a b\\\nc d \\\n  e';
    const copy = parseDockerfile(source).instructions[1];
    assert.ok(copy?.kind === 'copy');
    assert.equal(quote(source, copy.flags[0]?.range ?? copy.range), '--from=a');
    const ranges = copy.sources.map(({ range }) => range);
    assert.deepEqual(ranges[0], { start: at(2, 14), end: at(3, 1) });
    assert.equal(quote(source, ranges[1] ?? copy.range), 'd');
    assert.equal(copy.destination, 'e');
  });

  it('FORM-1: resolves quotes and backslashes in flags, and stops at --', () => {
    const run = lastInStage('RUN --mount="type=bind,target=/a b" --network=ho\\st -- --x y', 'run');
    assert.deepEqual(run.mounts, ['type=bind,target=/a b']);
    assert.equal(run.network, 'host');
    assert.deepEqual(run.command, { form: 'shell', line: '--x y' });
  });

  it('FORM-1: stops at -- whatever the escape character is, and after files with the other one', () => {
    for (const head of ['', '# escape=`\n', '']) {
      const { instructions } = parseDockerfile(`${head}FROM -- a\nRUN -- --b\nENV -- c=d\n`);
      assert.deepEqual(
        instructions.map(({ flags }) => flags.length),
        [0, 0, 0],
      );
      const [from, run, env] = instructions;
      assert.equal(from?.kind === 'from' && from.image.text, 'a');
      assert.deepEqual(run?.kind === 'run' && run.command, { form: 'shell', line: '--b' });
      assert.equal(env?.kind === 'env' && env.pairs[0]?.name, 'c');
    }
  });

  it('FORM-1: keeps letters of any script in flags, which BuildKit takes apart into bytes', () => {
    assert.equal(lastInStage('COPY --from=été a b', 'copy').from, 'été');
  });

  it('FORM-2: reads boolean flags', () => {
    const add = lastInStage('ADD --link --unpack=FALSE --keep-git-dir=true a b', 'add');
    assert.deepEqual([add.link, add.unpack, add.keepGitDir], [true, false, true]);
    assert.equal(lastInStage('ADD a b', 'add').unpack, undefined);
  });

  for (const [text, command] of [
    ['RUN ["a", "b\\n"]', { form: 'exec', argv: ['a', 'b\n'] }],
    ['RUN []', { form: 'exec', argv: [] }],
    ["RUN ['a']", { form: 'shell', line: "['a']" }],
    ['RUN ["a"] b', { form: 'shell', line: '["a"] b' }],
    ['RUN [ -f x ] && y', { form: 'shell', line: '[ -f x ] && y' }],
    ['RUN', { form: 'shell', line: '' }],
  ] as const) {
    it(`FORM-5, FORM-7, FORM-9: reads ${text}`, () => {
      assert.deepEqual(lastInStage(text, 'run').command, command);
    });
  }

  it('HD-1, HD-2: cuts heredocs out', () => {
    const source = 'FROM x\nRUN 3<<A cat <<-"B C"\n# a\\\nA\n\tb $x\n\tB C\nRUN y\n';
    const run = parseDockerfile(source).instructions[1];
    assert.ok(run?.kind === 'run');
    assert.deepEqual(run.heredocs, [
      {
        kind: 'heredoc',
        name: 'A',
        content: '# a\\\n',
        expand: true,
        chomp: false,
        fileDescriptor: 3,
        range: { start: at(3, 0), end: at(4, 1) },
      },
      {
        kind: 'heredoc',
        name: 'B C',
        content: 'b $x\n',
        expand: false,
        chomp: true,
        fileDescriptor: 0,
        range: { start: at(5, 0), end: at(6, 4) },
      },
    ]);
    assert.deepEqual(run.range, { start: at(2, 0), end: at(6, 4) });
    assert.equal(run.text, 'RUN 3<<A cat <<-"B C"');
  });

  it('CP-18: mixes heredocs and paths', () => {
    const copy = lastInStage('COPY a <<B c/ d\nbody\nB', 'copy');
    assert.deepEqual(
      copy.sources.map((source) => (source.kind === 'path' ? source.text : source.content)),
      ['a', 'body\n', 'c/'],
    );
  });

  it('CP-1: reads the JSON form', () => {
    const copy = lastInStage('COPY --chown=a:b --exclude=x --exclude=y ["a b", "c"]', 'copy');
    assert.deepEqual([copy.chown, copy.exclude, copy.destination], ['a:b', ['x', 'y'], 'c']);
    assert.deepEqual(copy.sources[0]?.kind === 'path' && copy.sources[0].text, 'a b');
  });

  it('ENV-1: reads pairs and the legacy form, quotes as written', () => {
    const env = lastInStage('ENV a="b c" d=e\\ f g=', 'env');
    assert.deepEqual(
      env.pairs.map(({ name, value }) => [name, value]),
      [
        ['a', '"b c"'],
        ['d', 'e\\ f'],
        ['g', ''],
      ],
    );
    const label = lastInStage('LABEL a  b = "c"', 'label');
    assert.deepEqual(
      [label.legacy, label.pairs[0]?.name, label.pairs[0]?.value],
      [true, 'a', 'b = "c"'],
    );
  });

  it('ARG-1: reads several declarations', () => {
    const { args } = lastInStage('ARG a b= c="d e"', 'arg');
    assert.deepEqual(
      args.map((arg) => [arg.name, arg.default]),
      [
        ['a', undefined],
        ['b', ''],
        ['c', '"d e"'],
      ],
    );
  });

  it('META-1: sorts the words of EXPOSE', () => {
    const { ports } = lastInStage('EXPOSE 80 443/tcp $x', 'expose');
    assert.deepEqual(
      ports.map((port) => port.text),
      ['$x', '443/tcp', '80'],
    );
  });

  it('HC-1: reads a health check', () => {
    const flags =
      '--interval=1m30s --timeout=1.5s --start-period=0 --start-interval=1ms --retries=3';
    const check = lastInStage(`HEALTHCHECK ${flags} CMD a b`, 'healthcheck');
    assert.deepEqual(
      [check.interval, check.timeout, check.startPeriod, check.startInterval, check.retries],
      [90e9, 1.5e9, 0, 1e6, 3],
    );
    assert.deepEqual(check.command, { form: 'shell', line: 'a b' });
    assert.equal(lastInStage('HEALTHCHECK none', 'healthcheck').command, undefined);
  });

  it('HC-1: counts every nanosecond of a fraction', () => {
    const check = lastInStage(
      'HEALTHCHECK --interval=4.00104s --timeout=65.00065s CMD a',
      'healthcheck',
    );
    assert.deepEqual([check.interval, check.timeout], [4_001_040_000, 65_000_650_000]);
  });

  it('HC-4: stores triggers as text, heredocs inlined, to be parsed later', () => {
    const { trigger } = lastInStage('onbuild  RUN <<E\n\ta\nE', 'onbuild');
    assert.equal(trigger, 'RUN <<E\n\ta\nE');
    const run = parseInstruction(trigger, { file: 'ONBUILD' });
    assert.equal(run.kind === 'run' && run.heredocs[0]?.content, '\ta\n');
  });

  it('freezes everything', () => {
    const file = parseDockerfile(
      'FROM a\nCOPY <<A b c\nA\nENV a=b\nRUN ["x"]\nHEALTHCHECK CMD x\n',
    );
    const visit = (value: unknown): void => {
      if (typeof value !== 'object' || value === null) return;
      assert.ok(Object.isFrozen(value), JSON.stringify(value));
      Object.values(value).forEach(visit);
    };
    visit(file);
  });
});

describe('detectSyntax()', () => {
  for (const [text, syntax] of [
    ['# syntax=a:1 with arguments\nFROM x', 'a:1'],
    ['\uFEFF#!/bin/sh\n#syntax = a', 'a'],
    ['// syntax=a\n', 'a'],
    ['{"syntax": "a"}', 'a'],
    ['# check=skip=all\r\n# syntax=a\r\n', 'a'],
    ['\n# syntax=a', undefined],
    ['FROM x', undefined],
  ] as const) {
    it(`DIR-5: finds ${syntax ?? 'nothing'} in ${JSON.stringify(text)}`, () => {
      assert.equal(detectSyntax(text), syntax);
    });
  }
});
