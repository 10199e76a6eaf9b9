import assert from 'node:assert/strict';
import { openStore } from '../../cache/index.ts';
import { Findings } from '../../src/solve/findings.ts';
import { withDirectory } from '../support/temporary.ts';

const { signal } = new AbortController();

describe('findings', () => {
  it('are sought once, by one build or another, and for each thing apart', async () => {
    await withDirectory(async (directory) => {
      const store = await openStore(directory, { signal });
      const sought: string[] = [];
      const seek = (name: string) => () => {
        sought.push(name);
        return [name, 'caf\xc3\xa9'];
      };
      const one = new Findings(store);
      const both = [one.get('kind', 'a', seek('a')), one.get('kind', 'a', seek('a, again'))];
      for (const found of await Promise.all(both)) assert.deepEqual(found, ['a', 'caf\xc3\xa9']);
      const later = new Findings(await openStore(directory, { signal }));
      assert.deepEqual(await later.get('kind', 'a', seek('a, later')), ['a', 'caf\xc3\xa9']);
      await later.get('kind', 'b', seek('b'));
      await later.get('other', 'a', seek('other'));
      assert.deepEqual(sought, ['a', 'b', 'other']);
    });
  });

  it('that failed are sought again', async () => {
    await withDirectory(async (directory) => {
      const findings = new Findings(await openStore(directory, { signal }));
      const fail = (): never => {
        throw new Error('no');
      };
      await assert.rejects(findings.get('kind', 'a', fail), /no/);
      assert.deepEqual(await findings.get('kind', 'a', () => []), []);
      assert.deepEqual(await findings.get('kind', 'a', fail), []);
    });
  });
});
