import assert from 'node:assert/strict';
import { overlayStack } from '../../src/solve/overlay-stack.ts';

describe('overlayStack()', () => {
  it('keeps a layer that occurs twice where it is on top', () => {
    assert.deepEqual(overlayStack(['/a', '/b', '/a', '/c', '/b']), ['/a', '/c', '/b']);
  });

  it('leaves layers that are all different', () => {
    assert.deepEqual(overlayStack(['/a', '/b']), ['/a', '/b']);
    assert.deepEqual(overlayStack([]), []);
  });
});
