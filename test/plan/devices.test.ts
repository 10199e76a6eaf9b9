import assert from 'node:assert/strict';
import { hasCode } from '../../src/errors.ts';
import { plan, runOf } from './support.ts';

/** A machine with these devices; one that is free needs no `--allow`. */
const machine = (...names: readonly string[]) => ({
  find: async (name: string) =>
    names.filter((one) => one.startsWith(name)).map((one) => ({ isFree: one.endsWith('free') })),
});
const devices = machine('vendor.com/gpu=0', 'vendor.com/npu=free');

describe('RUN --device', () => {
  it('is planned in the order given, with whether it is required (RUN-3)', async () => {
    const text =
      'FROM scratch\nRUN --device=b.com/x=1,required --device=name=a.com/y,required=false --device=c.com/z=* x';
    const run = await runOf(text, { allow: new Set(['device']) });
    assert.deepEqual(run.devices, [
      { name: 'b.com/x=1', required: true },
      { name: 'a.com/y', required: false },
      { name: 'c.com/z=*', required: false },
    ]);
  });

  for (const [text, name] of [
    ['vendor.com/gpu', 'vendor.com/gpu'],
    ['vendor.com/gpu=0,required=true', 'vendor.com/gpu=0'],
    ['other.com/gone,required', 'other.com/gone'],
  ] as const) {
    it(`refuses ${text}, unless it is allowed (RUN-2, ENT-1)`, async () => {
      const dockerfile = `FROM scratch\nRUN --device=${text} x`;
      const allow = new Set(['device=another.com/kind', 'network.host']);
      await assert.rejects(plan(dockerfile, { devices, allow }), (error) => {
        assert.ok(hasCode(error, 'ERR_INSTRUCTION_INVALID'));
        assert.match(error.message, /is not allowed$/);
        assert.match(error.hint ?? '', new RegExp(`--allow device=${name}`));
        assert.equal(error.location?.range.start.line, 2);
        return true;
      });
      for (const entitlement of ['device', `device=${name}`, `device=${name.split('=')[0]}`]) {
        const run = await runOf(dockerfile, { devices, allow: new Set([entitlement]) });
        assert.equal(run.devices[0]?.name, name);
      }
    });
  }

  it('needs no leave for what this machine does not have or gives to everybody (RUN-3)', async () => {
    for (const name of ['other.com/gone', 'vendor.com/npu']) {
      const run = await runOf(`FROM scratch\nRUN --device=${name} x`, { devices });
      assert.equal(run.devices[0]?.name, name);
    }
  });

  it('knows a device by the name that the caller gives it (ENT-1)', async () => {
    const allow = new Set(['device=vendor.com/gpu=0,alias=fast']);
    const run = await runOf('FROM scratch\nRUN --device=fast,required x', { devices, allow });
    assert.deepEqual(run.devices, [{ name: 'vendor.com/gpu=0', required: true }]);
  });
});
