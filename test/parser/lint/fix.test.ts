import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import {
  applyFixes,
  type BaseImageFacts,
  expandWord,
  type Instruction,
  lint,
  type LintOptions,
  type LintWarning,
  parseDockerfile,
  parseDockerfileWithErrors,
} from '../../../parser/index.ts';
import { itUnless } from '../../support/missing.ts';

const OPTIONS: LintOptions = { beyond: 'all', baseImage: () => ({ user: '', entrypoint: [] }) };

/** All fixes, until there are none; only those of one rule when it is given. */
function fixAll(text: string, rule?: string, options = OPTIONS): string {
  let fixed = text;
  for (let round = 0; round < 20; round++) {
    const warnings = lint(parseDockerfileWithErrors(fixed).dockerfile, options);
    const chosen = warnings.filter((warning) => rule === undefined || warning.rule === rule);
    const next = applyFixes(fixed, chosen);
    if (next.fixed.length === 0) return fixed;
    fixed = next.text;
  }
  return assert.fail(`never stable:\n${text}`);
}

interface Case {
  readonly rule: string;
  /** Before, after: without a FROM, which is put in front. */
  readonly fixed: readonly (readonly [string, string])[];
  /** Reported, but left as it is. */
  readonly kept?: readonly string[];
}

const UP = 'apt-get update && apt-get install a';
const RM = 'rm -rf /var/lib/apt/lists/*';

const CASES: readonly Case[] = [
  {
    rule: 'FromAsCasing',
    fixed: [
      ['FROM  scratch \\\n  as  x', 'FROM  scratch \\\n  AS  x'],
      ['from scratch AS as', 'from scratch as as'],
    ],
  },
  {
    rule: 'StageNameCasing',
    fixed: [
      [
        'FROM scratch\nCOPY --from=Ab a /\nFROM scratch AS Ab',
        'FROM scratch\nCOPY --from=Ab a /\nFROM scratch AS ab',
      ],
      [
        'FROM scratch AS Ab\nFROM scratch\nCOPY --from=Ab --chown=1 a /\nRUN --mount=type=bind,from=AB,target=/x true',
        'FROM scratch AS ab\nFROM scratch\nCOPY --from=ab --chown=1 a /\nRUN --mount=type=bind,from=ab,target=/x true',
      ],
      [
        'FROM scratch AS Ab\nFROM scratch\nCOPY --from=Abc a /',
        'FROM scratch AS ab\nFROM scratch\nCOPY --from=Abc a /',
      ],
    ],
    kept: ['FROM scratch AS Ab\nFROM scratch\nCOPY --from="Ab" a /'],
  },
  {
    rule: 'ConsistentInstructionCasing',
    fixed: [
      ['run a \\\n  b # run\nRUN c', 'RUN a \\\n  b # run\nRUN c'],
      ['  Copy a b', '  COPY a b'],
    ],
    kept: ['ru\\\nn a\nRUN c'],
  },
  {
    rule: 'NoEmptyContinuation',
    fixed: [
      ['RUN a \\\n\n  \t\n  # why\n\n  b\n\nRUN c', 'RUN a \\\n  # why\n  b\n\nRUN c'],
      ['RUN a \\\r\n\r\n b\r\n', 'RUN a \\\r\n b\r\n'],
      ['RUN <<EOF cat \\\n\n -\na\n\nb\nEOF', 'RUN <<EOF cat \\\n -\na\n\nb\nEOF'],
    ],
  },
  {
    rule: 'MaintainerDeprecated',
    fixed: [
      ['MAINTAINER Me <a@b>', 'LABEL org.opencontainers.image.authors="Me <a@b>"'],
      ['maintainer "a" $b \\c', 'label org.opencontainers.image.authors="\\"a\\" \\$b \\\\c"'],
    ],
    kept: ['MAINTAINER a \\\n  b'],
  },
  {
    rule: 'LegacyKeyValueFormat',
    fixed: [
      ['ENV a b', 'ENV a=b'],
      ['ENV  a \t b  c', 'ENV  a="b  c"'],
      ['ENV a $b:${c:-d e}', 'ENV a="$b:${c:-d e}"'],
      ['ENV a "b c"', 'ENV a="b c"'],
      ["LABEL a 'b'", "LABEL a='b'"],
      ['ENV a b \\\n  # why\n  c', 'ENV a="b \\\n  # why\n  c"'],
      ['ENV a b=c', 'ENV a=b=c'],
    ],
    kept: ['ENV a \\\n b', 'ENV a b "c" d', 'ENV a b\\ c d'],
  },
  {
    rule: 'RedundantTargetPlatform',
    fixed: [
      ['FROM --platform=$TARGETPLATFORM  scratch AS x', 'FROM scratch AS x'],
      ['FROM --platform=$TARGETPLATFORM \\\n  scratch', 'FROM  \\\n  scratch'],
    ],
  },
  {
    rule: 'ExposeProtoCasing',
    fixed: [['EXPOSE 90 80/TCP 1-2/UDP', 'EXPOSE 90 80/tcp 1-2/udp']],
    kept: ['ARG p=1/TCP\nEXPOSE $p'],
  },
  {
    rule: 'JSONArgsRecommended',
    fixed: [
      ['CMD node  app.js --port=80', 'CMD ["node",  "app.js", "--port=80"]'],
      ['ENTRYPOINT a \\\n  # why\n  b', 'ENTRYPOINT ["a", \\\n  # why\n  "b"]'],
    ],
    kept: [
      'CMD a $B',
      'CMD a && b',
      'CMD A=1 b',
      'CMD exec a',
      'CMD a *.b',
      'CMD a ~/b',
      'CMD "a"',
      'ENTRYPOINT a\nCMD ["b"]',
      'ENTRYPOINT ["a"]\nCMD b',
      'ENTRYPOINT a\nONBUILD CMD ["b"]',
    ],
  },
  {
    rule: 'AddLocalFile',
    fixed: [
      ['ADD . a.txt /x/', 'COPY . a.txt /x/'],
      ['add --chmod=1 a.txt /', 'copy --chmod=1 a.txt /'],
      ['ADD ["a b/", "/"]', 'COPY ["a b/", "/"]'],
    ],
    kept: ['ADD rootfs /', 'ADD disk.img /', 'ADD my.layer /x/'],
  },
  {
    rule: 'AptRecommendsInstalled',
    fixed: [
      [
        'RUN a && apt-get -y install \\\n  # why\n  b',
        'RUN a && apt-get -y install --no-install-recommends \\\n  # why\n  b',
      ],
      [
        'RUN apt install a; apt install b',
        'RUN apt install --no-install-recommends a; apt install --no-install-recommends b',
      ],
      [
        'RUN <<EOF\napt-get install a\nEOF',
        'RUN <<EOF\napt-get install --no-install-recommends a\nEOF',
      ],
    ],
    kept: ['RUN ["apt-get", "install", "a"]', "RUN sh -c 'apt-get install a'"],
  },
  {
    rule: 'AptListsKept',
    fixed: [
      [`RUN ${UP}`, `RUN ${UP} && ${RM}`],
      [
        `RUN apt update && \\\r\n    apt install a\r\n`,
        `RUN apt update && \\\r\n    apt install a \\\r\n    && ${RM}\r\n`,
      ],
      [
        'RUN if a; then apt update; apt install b; fi',
        `RUN if a; then apt update; apt install b; fi && ${RM}`,
      ],
    ],
    kept: [
      `RUN ${UP};`,
      `RUN ${UP} # end`,
      `RUN <<EOF\n${UP}\nEOF`,
      `RUN ${UP}\nRUN apt-get install b`,
      `RUN ${UP}\nONBUILD RUN apt-get install b`,
      `RUN ${UP}; exit 0`,
    ],
  },
  {
    rule: 'ApkCacheKept',
    fixed: [['RUN apk  add a', 'RUN apk  add --no-cache a']],
  },
  {
    rule: 'PipCacheKept',
    fixed: [['RUN python -m pip install a', 'RUN python -m pip install --no-cache-dir a']],
  },
  {
    rule: 'UnsortedPackages',
    fixed: [
      [
        'RUN apk add \\\n  c \\\n    a=1 \\\n  b && x',
        'RUN apk add \\\n  a=1 \\\n    b \\\n  c && x',
      ],
      [
        'RUN apk add \\\n  d \\\n  b \\\n  # c\n  c \\\n  a',
        'RUN apk add \\\n  b \\\n  d \\\n  # c\n  a \\\n  c',
      ],
    ],
  },
];

describe('applyFixes', () => {
  for (const { rule, fixed, kept = [] } of CASES) {
    const whole = (text: string): string => (/^from/i.test(text) ? text : `FROM a:1\n${text}`);

    it(`mends ${rule}, and only its place`, () => {
      for (const [before, after] of fixed) {
        assert.equal(fixAll(whole(before), rule), whole(after));
      }
    });

    if (kept.length === 0) continue;
    it(`leaves ${rule} where a fix could mean something else`, () => {
      for (const text of kept) {
        const warnings = lint(parseDockerfile(whole(text)), OPTIONS);
        assert.ok(
          warnings.some((warning) => warning.rule === rule),
          text,
        );
        assert.equal(fixAll(whole(text), rule), whole(text));
      }
    });
  }

  it('makes no JSON of a CMD whose entrypoint nobody knows', () => {
    const text = 'FROM a:1\nCMD b\n';
    assert.equal(fixAll(text, undefined, {}), text);
    const baseImage = (): { entrypoint: string[] } => ({ entrypoint: ['x'] });
    assert.equal(fixAll(text, undefined, { baseImage }), text);
  });

  it('JSONArgsRecommended changes no CMD where a trigger of the base image sets an ENTRYPOINT', () => {
    const text = 'FROM scratch\nFROM a\nCMD b\n';
    const baseImage = (): BaseImageFacts => ({ entrypoint: [], triggers: ['ENTRYPOINT ["x"]'] });
    const warnings = lint(parseDockerfile(text), { baseImage });
    assert.equal(warnings.at(-1)?.rule, 'JSONArgsRecommended');
    assert.equal(warnings.at(-1)?.fix, undefined);
  });

  it('knows the escape character of Windows', () => {
    const text = '# escape=`\nFROM a:1\nMAINTAINER "a" `b c:\\d\nENV e f `\n  g\n';
    const after =
      '# escape=`\nFROM a:1\nLABEL org.opencontainers.image.authors="`"a`" ``b c:\\d"\nENV e="f `\n  g"\n';
    assert.equal(fixAll(text), after);
  });

  it('applies the first of two fixes for one place, and the other one the next time', () => {
    const text = 'from a:1\nRUN b\nRUN c\nmaintainer d\nRUN e\n';
    const after = 'FROM a:1\nRUN b\nRUN c\nLABEL org.opencontainers.image.authors="d"\nRUN e\n';
    assert.equal(fixAll(text), after);
  });

  it('leaves out a fix that breaks the text, and keeps the others', () => {
    const source = 'FROM a:1\nENV b c\nENV d e\n';
    const [first, ...others] = lint(parseDockerfile(source));
    assert.ok(first !== undefined);
    const range = { start: { line: 2, column: 0 }, end: { line: 2, column: 3 } };
    const broken: LintWarning = {
      ...first,
      fix: { description: '', edits: [{ range, text: 'NOTHING' }] },
    };
    const { text, fixed } = applyFixes(source, [broken, ...others]);
    assert.equal(text, 'FROM a:1\nENV b c\nENV d=e\n');
    assert.deepEqual(fixed, others);
  });

  it('changes nothing in a text that does not parse', () => {
    const source = 'FROM a:1 as b\nRUM c\n';
    const warnings = lint(parseDockerfileWithErrors(source).dockerfile);
    assert.ok(warnings.some(({ fix }) => fix !== undefined));
    assert.deepEqual(applyFixes(source, warnings), { text: source, fixed: [] });
  });
});

const files = globSync(resolve('../shared/corpus/realworld/*ocker*')).toSorted();
const reason = files.length > 0 ? undefined : 'there is no ../shared/corpus beside the project';

describe('fixes of real Dockerfiles', () => {
  itUnless(reason)(`keep the meaning of each of ${files.length}`, async () => {
    for (const file of files) {
      const before = readFileSync(file, 'utf8');
      if (parseDockerfileWithErrors(before).errors.length > 0) continue;
      for (const text of [before, before.replace(/\r?\n/g, '\r\n')]) {
        const after = fixAll(text);
        const [old, now] = [parseDockerfile(text), parseDockerfile(after)];
        assert.deepEqual(
          now.instructions.map(meaning),
          old.instructions.map(meaning),
          basename(file),
        );
        assert.deepEqual(
          now.comments.map(({ text: comment }) => comment),
          old.comments.map(({ text: comment }) => comment),
        );
        assert.equal(after.split('\r\n').length === after.split('\n').length, text !== before);
      }
    }
  });
});

/** Without what the fixes are about. */
function meaning(instruction: Instruction): unknown {
  switch (instruction.kind) {
    case 'from': {
      const { image, name, platform } = instruction;
      return ['from', image.text, name?.toLowerCase(), platform];
    }
    case 'env':
    case 'label':
      return instruction.pairs.map(({ name, value }) => [
        name,
        expandWord(value, (variable) => `<${variable}>`, { escape: '\\' }),
      ]);
    case 'run': {
      const bodies = instruction.heredocs.map(({ content }) => content);
      const added =
        /--no-(?:install-recommends|cache-dir|cache)|&& rm -rf \/var\/lib\/apt\/lists\/\*/g;
      const words = [instruction.text, ...bodies].join('\n').replace(added, '').split(/\s+/);
      return words
        .filter(Boolean)
        .map((word) => word.toLowerCase())
        .toSorted();
    }
    case 'add':
    case 'copy':
      return instruction.text
        .replace(/^\S+/, '')
        .replace(/--from=\S+/, (flag) => flag.toLowerCase());
    case 'cmd':
    case 'entrypoint': {
      const { command } = instruction;
      return command.form === 'exec' ? command.argv : command.line.trim().split(/\s+/);
    }
    default:
      return instruction.text.replace(/^\S+/, '');
  }
}
