import assert from 'node:assert/strict';
import { type AttestOptions, readAttestations } from '../../src/attest/requests.ts';
import { type ErrorCode, hasCode } from '../../src/errors.ts';

const ONE = { isIndex: false };
const read = (options: AttestOptions, built = ONE) => readAttestations(options, built);

describe('readAttestations()', () => {
  const provenance = {
    ...{ mode: 'max', version: 'v1', builderID: undefined, filename: 'provenance.json' },
    ...{ reproducible: false, inlineOnly: false },
  } as const;
  const sbom = { inlineOnly: false };
  const none = { provenance: undefined, sbom: undefined };

  it('attests nothing that nobody asks for (ATT-2)', () => {
    assert.deepEqual(read({}), none);
    assert.deepEqual(read({ buildArgs: { X: '1' }, attests: [] }), none);
  });

  const cases: readonly (readonly [string, AttestOptions, object])[] = [
    ['--provenance=true', { provenance: 'true' }, { provenance }],
    ['`provenance: true`', { provenance: true }, { provenance }],
    ['--provenance=mode=full', { provenance: 'mode=full' }, { provenance }],
    ['--sbom=1', { sbom: '1' }, { sbom }],
    ['--attest type=sbom', { attests: ['type=sbom'] }, { sbom }],
    [
      '--attest type=provenance with all that it takes',
      {
        attests: [
          'type=provenance,mode=min,version=v0.2,builder-id=https://ci.example/run?a=b,filename=p.json,reproducible=true',
        ],
      },
      {
        provenance: {
          ...{ mode: 'min', version: 'v0.2', builderID: 'https://ci.example/run?a=b' },
          ...{ filename: 'p.json', reproducible: true, inlineOnly: false },
        },
      },
    ],
    [
      '--build-arg BUILDKIT_ATTEST_PROVENANCE',
      { buildArgs: { BUILDKIT_ATTEST_PROVENANCE: 'mode=min', BUILDKIT_ATTEST_SBOM: '' } },
      { provenance: { ...provenance, mode: 'min' }, sbom },
    ],
    [
      'a flag before a build argument',
      { buildArgs: { BUILDKIT_ATTEST_PROVENANCE: 'mode=min' }, provenance: 'false' },
      {},
    ],
    ['disabled=true', { attests: ['type=sbom', 'type=sbom,disabled=true'] }, {}],
    ['generator=false, which asks for none', { attests: ['type=sbom,generator=false'] }, { sbom }],
    ['inline-only of an image that is no index', { provenance: 'inline-only=true' }, {}],
    [
      'inline-only beside what makes an index',
      { provenance: 'inline-only=true', sbom: true },
      { provenance: { ...provenance, inlineOnly: true }, sbom },
    ],
  ];
  for (const [title, options, expected] of cases) {
    it(`reads ${title} (ATT-1, ATT-6)`, () =>
      assert.deepEqual(read(options), { ...none, ...expected }));
  }

  it('keeps what is inline-only in an index of several platforms (ATT-6)', () => {
    const { provenance: kept } = read({ provenance: 'inline-only=true' }, { isIndex: true });
    assert.equal(kept?.inlineOnly, true);
  });

  const failures: readonly (readonly [AttestOptions, ErrorCode, RegExp, RegExp])[] = [
    [{ attests: ['mode=min'] }, 'ERR_USAGE', /has no type/, /provenance, sbom/],
    [{ attests: ['type=provenence'] }, 'ERR_USAGE', /"provenence"/, /"provenance"/],
    [{ provenance: 'mode=most' }, 'ERR_USAGE', /"most"/, /min or max/],
    [{ provenance: 'version=v2' }, 'ERR_USAGE', /"v2"/, /v1 or v0.2/],
    [{ provenance: 'modes=min' }, 'ERR_USAGE', /"modes"/, /"mode"/],
    [{ provenance: 'filename=a/b' }, 'ERR_USAGE', /"a\/b"/, /without directories/],
    [{ provenance: 'yes' }, 'ERR_USAGE', /"yes"/, /key=value/],
    [{ provenance: 'reproducible=perhaps' }, 'ERR_USAGE', /"perhaps"/, /true or false/],
    [{ sbom: 'generator=a/scanner:1' }, 'ERR_UNSUPPORTED', /generator=a\/scanner:1/, /No image/],
    [{ provenance: 'capture-usage=true' }, 'ERR_UNSUPPORTED', /capture-usage/, /not measured/],
  ];
  for (const [options, code, message, hint] of failures) {
    it(`rejects ${JSON.stringify(options)} (ATT-1, ATT-10)`, () => {
      assert.throws(
        () => read(options),
        (error) => {
          assert.ok(hasCode(error, code));
          assert.match(error.message, message);
          assert.match(error.hint ?? '', hint);
          return true;
        },
      );
    });
  }
});
