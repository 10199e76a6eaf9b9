import assert from 'node:assert/strict';
import { parseArgs } from '../../src/cli/args.ts';
import { doctorText } from '../../src/cli/doctor-text.ts';
import { createRequest } from '../../src/cli/request.ts';

function build(...argv: readonly string[]) {
  const command = parseArgs(argv);
  assert.equal(command.kind, 'build');
  return command;
}

describe('tsbuild doctor', () => {
  it('takes --json and --isolation, in every form of flags', () => {
    const flags = (...argv: readonly string[]) => parseArgs(['doctor', ...argv]);
    const kind = 'doctor';
    assert.deepEqual(flags(), { kind, flags: { json: false, isolation: undefined } });
    const both = { kind, flags: { json: true, isolation: 'single' } };
    assert.deepEqual(flags('--json', '--isolation', 'single'), both);
    assert.deepEqual(flags('--isolation=root', '--isolation=single', '--json'), both);
  });

  it('refuses what it does not know, and tells how to build a directory of its name', () => {
    assert.throws(() => parseArgs(['doctor', '--tag', 'x']), { code: 'ERR_USAGE' });
    assert.throws(() => parseArgs(['doctor', '.']), /"doctor" takes no arguments/);
    assert.equal(build('./doctor').flags.context, './doctor');
  });

  it('prints groups of short lines, under each the fix', () => {
    const text = doctorText({
      ok: false,
      isolation: undefined,
      findings: [
        { id: 'node', group: 'machine', status: 'ok', text: 'Node 24' },
        { id: 'run', group: 'run', status: 'no', text: 'it does not', fix: 'sudo do' },
      ],
    });
    assert.equal(
      text,
      `RUN
  no    it does not
        fix: sudo do
machine
  ok    Node 24

Builds with RUN do not work here; builds without RUN need none of this.
`,
    );
  });
});

describe('--isolation', () => {
  const optionsOf = async (isolation: string) =>
    (await createRequest(build(`--isolation=${isolation}`, '.').flags, {})).options.isolation;

  it('is one of four', async () => {
    for (const name of ['auto', 'root', 'subids', 'single']) {
      assert.equal(await optionsOf(name), name);
    }
    await assert.rejects(optionsOf('vm'), /Cannot use the isolation "vm"/);
  });

  it("means the best that works with other builders' words, and says so", async () => {
    for (const name of ['chroot', 'rootless', 'oci']) {
      assert.equal(await optionsOf(name), undefined);
      assert.match(build(`--isolation=${name}`, '.').warnings.join(), /another builder's/);
    }
    assert.deepEqual(build('--isolation=default', '.').warnings, []);
  });
});
