import assert from 'node:assert/strict';
import { formatDuration, quoteList } from '../../src/plan/go-format.ts';

describe('go-format', () => {
  const durations: readonly (readonly [number, string])[] = [
    [0, '0s'],
    [1, '1ns'],
    [1500, '1.5µs'],
    [2e6, '2ms'],
    [1.5e9, '1.5s'],
    [90e9, '1m30s'],
    [3600e9, '1h0m0s'],
    [3661.1e9, '1h1m1.1s'],
  ];
  for (const [nanoseconds, text] of durations) {
    it(`prints ${nanoseconds} ns as ${text} (HC-3)`, () => {
      assert.equal(formatDuration(nanoseconds), text);
    });
  }

  it('quotes as Go does (CMD-5)', () => {
    assert.equal(
      quoteList(['a"\\', '\n\t\x00', 'ü😀', '\u200b\u00a0']),
      '["a\\"\\\\" "\\n\\t\\x00" "ü😀" "\\u200b\\u00a0"]',
    );
    assert.equal(quoteList([]), '[]');
  });
});
