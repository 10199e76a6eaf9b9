import { fuzz } from './fuzz.ts';

describe('a context that is edited at random between builds', function () {
  this.timeout(120_000);

  it('is always copied as it is, and as a clean build copies it (T-14, T-15, T-16)', async () => {
    // Always the same: what `npm run fuzz` finds with other seeds is added here.
    await fuzz({ runs: 300, seed: 1, cleanEvery: 25 });
  });
});
