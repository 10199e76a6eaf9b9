import assert from 'node:assert/strict';
import { runOn } from '../support/run-command.ts';

const TEXT = `# version is of the tool
ARG version=1.2
ARG flavor
FROM scratch AS tools
ARG version
RUN --mount=type=secret,id=token,required --mount=type=ssh --mount=type=cache,target=/c x

# app is what runs
FROM tools AS app
ARG flavor
RUN --mount=type=secret,id=other x
FROM --platform=$BUILDPLATFORM tools
`;

const at = (line: number, end: number) => ({
  sourceIndex: 0,
  ranges: [{ start: { line, character: 0 }, end: { line, character: end } }],
});

const SOURCES = [Buffer.from(TEXT).toString('base64')];

describe('tsbuild --call=outline', () => {
  it('prints tables (OPT-3)', async () => {
    const { code, stdout, stderr } = await runOn(TEXT, '--call=outline', '--target=app');
    const expected = [
      'TARGET:      app',
      'DESCRIPTION: is what runs',
      '',
      'BUILD ARG   VALUE   DESCRIPTION',
      'version     1.2     is of the tool',
      'flavor              ',
      '',
      'SECRET   REQUIRED',
      'token    true',
      'other    ',
      '',
      'SSH       REQUIRED',
      'default   ',
      '',
      '',
    ];
    assert.deepEqual([code, stderr], [0, '']);
    assert.equal(stdout, expected.join('\n'));
  });

  it('prints JSON for programs (OPT-3)', async () => {
    const { code, stdout } = await runOn(TEXT, '--call=outline,format=json', '--target=app');
    assert.equal(code, 0);
    assert.deepEqual(JSON.parse(stdout), {
      name: 'app',
      description: 'is what runs',
      args: [
        {
          name: 'version',
          description: 'is of the tool',
          value: '1.2',
          location: at(2, 15),
        },
        { name: 'flavor', location: at(10, 10) },
      ],
      secrets: [
        { name: 'token', required: true, location: at(6, 89) },
        { name: 'other', location: at(11, 34) },
      ],
      ssh: [{ name: 'default', location: at(6, 89) }],
      cache: [{ ID: '/c', location: at(6, 89) }],
      sources: SOURCES,
    });
  });

  it('reports what a build would fail with', async () => {
    const { code, stdout, stderr } = await runOn(TEXT, '--call=outline', '--target=ap');
    assert.deepEqual([code, stdout], [2, '']);
    assert.match(stderr, /hint: Did you mean "app"\?/);
  });
});

describe('tsbuild --call=targets', () => {
  it('prints a table (OPT-3)', async () => {
    const { code, stdout } = await runOn(TEXT, '--call=targets');
    const rows = [
      'TARGET    DESCRIPTION',
      'tools     ',
      'app       is what runs',
      '(default) ',
      '',
    ];
    assert.deepEqual([code, stdout], [0, rows.join('\n')]);
    const named = await runOn('FROM scratch AS only\n', '--call=targets');
    assert.match(named.stdout, /^only \(default\) $/m);
  });

  it('prints JSON for programs (OPT-3)', async () => {
    const { stdout } = await runOn(TEXT, '--call=targets,format=json');
    assert.deepEqual(JSON.parse(stdout), {
      targets: [
        { name: 'tools', base: 'scratch', location: at(4, 21) },
        { name: 'app', description: 'is what runs', base: 'tools', location: at(9, 17) },
        { default: true, base: 'tools', platform: '$BUILDPLATFORM', location: at(12, 36) },
      ],
      sources: SOURCES,
    });
  });
});

describe('tsbuild --call=subrequests.describe', () => {
  it('names what can be called', async () => {
    const { stdout } = await runOn(TEXT, '--call=subrequests.describe');
    assert.match(stdout, /^outline +1\.0\.0 +List all parameters/m);
    const json = await runOn(TEXT, '--call=subrequests.describe,format=json');
    const methods = JSON.parse(json.stdout) as readonly { readonly name: string }[];
    assert.deepEqual(
      methods.map(({ name }) => name),
      ['frontend.outline', 'frontend.targets', 'frontend.lint', 'frontend.subrequests.describe'],
    );
  });
});
