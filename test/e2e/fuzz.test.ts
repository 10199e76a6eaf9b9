import { fuzzCopies } from './fuzz-copies.ts';
import { fuzz } from './fuzz.ts';

describe('a context that is edited at random between builds', function () {
  this.timeout(120_000);

  it('is always copied as it is, and as a clean build copies it (T-14, T-15, T-16)', async () => {
    // Always the same: what `npm run fuzz` finds with other seeds is added here.
    await fuzz({ runs: 150, seed: 1, cleanEvery: 25 });
  });
});

describe('Dockerfiles of COPY and ADD made at random, on one store', function () {
  this.timeout(120_000);

  it('give the images of clean builds, to the byte with SOURCE_DATE_EPOCH (CP-4 … CP-22)', async () => {
    // The first found that an empty layer was none when it was needed again.
    await fuzzCopies({ runs: 30, seed: 3 });
    await fuzzCopies({ runs: 40, seed: 100 });
  });
});
