import assert from 'node:assert/strict';
import { applyChmod, parseSymbolicMode } from '../../src/tree/chmod.ts';

const CHANGES: readonly (readonly [text: string, from: number, to: number])[] = [
  ['a+x', 0o644, 0o755],
  ['+x', 0o600, 0o711],
  ['go-w', 0o666, 0o644],
  ['u=g', 0o640, 0o440],
  ['g=u', 0o750, 0o770],
  ['go=u-w', 0o700, 0o755],
  ['go=', 0o777, 0o700],
  ['=rw,+X', 0o755, 0o777],
  ['u=rwX,go=rX', 0o600, 0o644],
  ['u=rwX,go=rX', 0o500, 0o755],
  ['u+s', 0o755, 0o4755],
  ['g+s', 0o755, 0o2755],
  ['o+s', 0o755, 0o755],
  ['+t', 0o755, 0o1755],
  ['a=rx', 0o7777, 0o1555],
  ['u=rwx,g=rx,o=', 0o000, 0o750],
  ['a-X', 0o755, 0o644],
  ['u+rwx-w', 0o000, 0o500],
  ['o=g+w', 0o754, 0o757],
];

describe('applyChmod()', () => {
  for (const [text, from, to] of CHANGES) {
    it(`${text} makes 0${from.toString(8)} 0${to.toString(8)} (CP-14)`, () => {
      assert.equal(applyChmod({ kind: 'symbolic', text }, from, false).toString(8), to.toString(8));
    });
  }

  it('makes directories searchable with X, whatever they were (CP-14)', () => {
    assert.equal(applyChmod({ kind: 'symbolic', text: 'u=rwX,go=rX' }, 0o600, true), 0o755);
  });

  it('takes an octal mode as it is (CP-14)', () => {
    assert.equal(applyChmod({ kind: 'octal', mode: 0o4711 }, 0o600, true), 0o4711);
  });
});

describe('parseSymbolicMode()', () => {
  for (const text of ['', 'u', 'rwx', 'u+q', 'u=rw,', ',u=r', 'x+u', 'u = r', '755']) {
    it(`rejects "${text}"`, () => {
      assert.throws(() => parseSymbolicMode(text), { code: 'ERR_INSTRUCTION_INVALID' });
    });
  }
});
