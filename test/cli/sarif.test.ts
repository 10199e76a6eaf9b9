import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { lineHashes } from '../../src/cli/line-hashes.ts';
import { checkSarif } from '../../src/cli/sarif.ts';
import { check, type CheckResult, type LintWarning } from '../../src/index.ts';
import { runIn } from '../support/run-command.ts';
import { withDirectory } from '../support/temporary.ts';

interface Sarif {
  readonly version: string;
  readonly $schema: string;
  readonly runs: readonly {
    readonly tool: {
      readonly driver: {
        readonly name: string;
        readonly version: string;
        readonly rules: readonly {
          readonly id: string;
          readonly shortDescription: { readonly text: string };
          readonly fullDescription: { readonly text: string };
          readonly help: { readonly text: string };
          readonly helpUri?: string;
          readonly defaultConfiguration: { readonly level: string };
        }[];
      };
    };
    readonly invocations: readonly {
      readonly executionSuccessful: boolean;
      readonly toolExecutionNotifications: readonly {
        readonly descriptor: { readonly id: string };
        readonly locations: readonly { readonly physicalLocation: { readonly region: Region } }[];
      }[];
    }[];
    readonly columnKind: string;
    readonly results: readonly {
      readonly ruleId: string;
      readonly ruleIndex: number;
      readonly level: string;
      readonly message: { readonly text: string };
      readonly locations: readonly {
        readonly physicalLocation: {
          readonly artifactLocation: { readonly uri: string };
          readonly region: Region;
        };
      }[];
      readonly partialFingerprints: { readonly primaryLocationLineHash: string };
      readonly fixes?: readonly unknown[];
    }[];
  }[];
}

interface Region {
  readonly startLine: number;
  readonly startColumn: number;
  readonly endLine: number;
  readonly endColumn: number;
}

async function checked(text: string): Promise<CheckResult> {
  return await withDirectory(async (folder) => {
    await mkdir(join(folder, 'context'));
    await writeFile(join(folder, 'context/Dockerfile'), text);
    return await check({ context: join(folder, 'context'), store: join(folder, 'store') });
  });
}

/** Parsed, after a look at everything that the format and code scanning ask of each result. */
function valid(text: string): Sarif['runs'][number] {
  const { version, $schema, runs } = JSON.parse(text) as Sarif;
  assert.deepEqual([version, runs.length], ['2.1.0', 1]);
  assert.match($schema, /sarif-2\.1\.0/);
  const [run] = runs;
  assert.ok(run !== undefined);
  assert.equal(run.columnKind, 'utf16CodeUnits');
  const { rules, name } = run.tool.driver;
  assert.equal(name, 'tsbuild');
  assert.equal(new Set(rules.map(({ id }) => id)).size, rules.length, 'each rule once');
  for (const rule of rules) {
    for (const part of [rule.shortDescription, rule.fullDescription, rule.help]) {
      assert.notEqual(part.text, '');
    }
    if (rule.helpUri !== undefined) assert.ok(URL.canParse(rule.helpUri), rule.helpUri);
  }
  for (const result of run.results) {
    assert.equal(rules[result.ruleIndex]?.id, result.ruleId);
    assert.ok(['error', 'warning', 'note'].includes(result.level));
    assert.notEqual(result.message.text, '');
    assert.equal(result.locations.length, 1);
    assert.match(result.partialFingerprints.primaryLocationLineHash, /^[0-9a-f]+:\d+$/);
    for (const { physicalLocation } of result.locations) {
      const { startLine, startColumn, endLine, endColumn } = physicalLocation.region;
      assert.ok(startLine >= 1 && startColumn >= 1);
      assert.ok(endLine > startLine || (endLine === startLine && endColumn >= startColumn));
    }
  }
  return run;
}

const OPTIONS = { uri: 'app/Dockerfile', version: '1.2.3' };

describe('checkSarif', () => {
  it('has a result for each warning, with its rule, level and place', async () => {
    const text = 'FROM scratch as base\nENV k="💥" a=$b\nENV c $d\n';
    const run = valid(checkSarif(await checked(text), OPTIONS));
    assert.equal(run.tool.driver.version, '1.2.3');
    assert.deepEqual(
      run.results.map(({ ruleId, level, locations: [at] }) => {
        const { artifactLocation, region } = at?.physicalLocation ?? {};
        return [ruleId, level, artifactLocation?.uri, region];
      }),
      [
        ['FromAsCasing', 'warning', 'app/Dockerfile', region(1, 1, 21)],
        // The emoji is two code units, and one thing to see.
        ['UndefinedVar', 'warning', 'app/Dockerfile', region(2, 1, 16)],
        ['UndefinedVar', 'warning', 'app/Dockerfile', region(3, 1, 9)],
        ['LegacyKeyValueFormat', 'warning', 'app/Dockerfile', region(3, 1, 9)],
      ],
    );
    assert.deepEqual(
      run.tool.driver.rules.map(({ id }) => id),
      ['FromAsCasing', 'UndefinedVar', 'LegacyKeyValueFormat'],
    );
    const [rule] = run.tool.driver.rules;
    assert.ok(rule !== undefined);
    assert.ok(rule.helpUri?.endsWith('/from-as-casing/'));
    assert.equal(rule.defaultConfiguration.level, 'warning');
  });

  it('has what would fail a build as errors, every one of them', async () => {
    const run = valid(checkSarif(await checked('FROM scratch\nODD\nCOPY x\nRUN <<E\n'), OPTIONS));
    assert.deepEqual(
      run.results.map(({ ruleId, level, locations }) => [
        ruleId,
        level,
        locations[0]?.physicalLocation.region.startLine,
      ]),
      [
        ['ERR_PARSE', 'error', 4],
        ['ERR_INSTRUCTION_INVALID', 'error', 2],
        ['ERR_INSTRUCTION_INVALID', 'error', 3],
      ],
    );
  });

  it('puts what is about no line at the first one', async () => {
    const result = await checked('# check=odd=1\nFROM scratch\n');
    assert.ok(result.error !== undefined);
    const run = valid(checkSarif(result, OPTIONS));
    assert.deepEqual(run.results[0]?.locations[0]?.physicalLocation.region.startLine, 1);
  });

  it('has no results when there is nothing to say', async () => {
    const run = valid(checkSarif(await checked('FROM scratch\nCOPY Dockerfile /\n'), OPTIONS));
    assert.deepEqual([run.results, run.tool.driver.rules], [[], []]);
  });

  it('has the fix of a warning, and no address that is none', async () => {
    const start = { line: 1, column: 13 };
    const end = { line: 1, column: 15 };
    const warning: LintWarning = {
      rule: 'Own',
      level: 'note',
      message: 'Mend\u001B[31m it',
      description: 'What it is about',
      url: 'docs/rules/own.md',
      range: { start, end },
      fix: { description: 'write "AS"', edits: [{ range: { start, end }, text: 'AS' }] },
    };
    const result = { ...(await checked('FROM scratch as base\n')), warnings: [warning] };
    const run = valid(checkSarif(result, OPTIONS));
    assert.equal(run.results[0]?.message.text, 'Mend it');
    assert.equal(run.results[0]?.level, 'note');
    assert.equal(run.tool.driver.rules[0]?.helpUri, undefined);
    assert.deepEqual(run.results[0]?.fixes, [
      {
        description: { text: 'write "AS"' },
        artifactChanges: [
          {
            artifactLocation: { uri: 'app/Dockerfile' },
            replacements: [{ deletedRegion: region(1, 14, 16), insertedContent: { text: 'AS' } }],
          },
        ],
      },
    ]);
  });
});

function region(line: number, startColumn: number, endColumn: number): Region {
  return { startLine: line, startColumn, endLine: line, endColumn };
}

describe('lineHashes', () => {
  it('is what the upload action reckons', () => {
    assert.deepEqual(lineHashes(''), ['c129715d7a2bc9a3:1']);
  });

  it('stays the same when something is added above or indented', () => {
    const tail = 'x'.repeat(200);
    const [, , before] = lineHashes(`a\nb\nRUN c\n${tail}\n`);
    const [, , , after] = lineHashes(`new\r\na\r\nb\r\n  RUN\tc\r\n${tail}\r\n`);
    assert.equal(before, after);
  });

  it('numbers equal lines', () => {
    const same = `${'y'.repeat(150)}\n`;
    const hashes = lineHashes(same + same);
    assert.equal(hashes[0]?.replace(/:1$/, ':2'), hashes[1]);
  });
});

describe('tsbuild --call=check,format=sarif', () => {
  it('names the file relative to the working directory, encoded, and answers like any check', async () => {
    await withDirectory(async (folder) => {
      await mkdir(join(folder, 'my app'));
      await writeFile(join(folder, 'my app/Dockerfile'), 'FROM scratch as base\n');
      await writeFile(join(folder, 'ä.Dockerfile'), 'FROM scratch as base\n');
      const uris: (string | undefined)[] = [];
      for (const argv of [
        ['--call=check,format=sarif', 'my app'],
        ['--call=lint,format=sarif', '-f', 'ä.Dockerfile', 'my app'],
        ['--check', '--call=format=sarif', 'my app'],
      ]) {
        const { code, stdout, stderr } = await runIn(folder, ...argv);
        assert.deepEqual([code, stderr], [1, '']);
        const [result] = valid(stdout).results;
        uris.push(result?.locations[0]?.physicalLocation.artifactLocation.uri);
      }
      assert.deepEqual(uris, ['my%20app/Dockerfile', '%C3%A4.Dockerfile', 'my%20app/Dockerfile']);
    });
  });

  it('has a notification for an image that was not looked at, and no result', async () => {
    const result = await checked('FROM localhost:1/a:1\n');
    const run = valid(checkSarif(result, OPTIONS));
    assert.deepEqual(run.results, []);
    const [notification] = run.invocations[0]?.toolExecutionNotifications ?? [];
    assert.deepEqual(notification?.descriptor, { id: 'ERR_REGISTRY_UNREACHABLE' });
    assert.equal(notification.locations[0]?.physicalLocation.region.startLine, 1);
  });
});
