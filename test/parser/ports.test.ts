import assert from 'node:assert/strict';
import { parsePorts } from '../../parser/index.ts';
import { hasCode } from '../../src/errors.ts';

describe('parsePorts()', () => {
  for (const [word, ports] of [
    ['80', ['80/tcp']],
    ['53/UDP', ['53/udp']],
    ['80/', ['80/tcp']],
    ['7000-7002/sctp', ['7000/sctp', '7001/sctp', '7002/sctp']],
    ['8080:80', ['80/tcp']],
    ['8080-8090:80', ['80/tcp']],
    ['127.0.0.1:8080:80/udp', ['80/udp']],
    ['[2001:db8::1]:80:80', ['80/tcp']],
    ['::1::80', ['80/tcp']],
    ['0', ['0/tcp']],
  ] as const) {
    it(`META-1: reads ${word}`, () => {
      assert.deepEqual(parsePorts([word]), ports);
    });
  }

  for (const [word, problem] of [
    ['', 'no port specified'],
    ['80:', 'no port specified'],
    ['x', 'invalid containerPort: x'],
    ['65536', 'invalid containerPort: 65536'],
    ['9-8', 'invalid containerPort: 9-8'],
    ['1-2-3', 'invalid containerPort: 1-2-3'],
    ['80/http', 'invalid proto: http'],
    ['x:80', 'invalid hostPort: x'],
    ['1-3:80-81', 'invalid ranges specified'],
    ['1.2.3:80:80', 'invalid IP address: 1.2.3'],
  ] as const) {
    it(`META-1: rejects "${word}"`, () => {
      assert.throws(
        () => parsePorts([word]),
        (error) => hasCode(error, 'ERR_INSTRUCTION_INVALID') && error.message.includes(problem),
      );
    });
  }
});
