/** What a bad network does to uploads. */

import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { type Exchange, type Fault, forward, send } from './faulty-registry.ts';

const PARTS = /^PATCH \/v2\/.*\/blobs\/uploads\//;
const ENDS = /^(?:PATCH|PUT) \/v2\/.*\/blobs\/uploads\//;
const QUESTIONS = /^GET \/v2\/.*\/blobs\/uploads\//;
const CHANGES = /^(?:POST|PATCH|PUT) \/v2\//;

/** New ones for each run: some come only once. */
export function uploadFaults(): Readonly<Record<string, Fault>> {
  let isDamaged = false;
  let expired = 0;
  return {
    // The connection breaks while bytes are on their way; the registry keeps what it got.
    cutUpload: {
      fits: PARTS,
      spoil: async (exchange) => {
        const { request, random, response } = exchange;
        const length = Number(request.headers['content-length'] ?? 0);
        const part = await readPart(request, Math.floor(random() * length));
        await forward(withBody(exchange, part), (body) => body);
        response.socket?.resetAndDestroy();
      },
    },
    // It took some of the bytes only, and says so.
    halfUpload: {
      fits: PARTS,
      spoil: async (exchange) => {
        const half = (body: Buffer): Buffer => body.subarray(0, Math.ceil(body.length / 2));
        await send(exchange.response, await forward(exchange, half));
      },
    },
    // It did what it was asked to, but nobody hears of it.
    unanswered: {
      fits: CHANGES,
      spoil: async (exchange) => {
        await forward(exchange);
        exchange.response.socket?.resetAndDestroy();
      },
    },
    // The token of this request is no longer good; those of the uploads beside it are.
    refused: {
      fits: /^\w+ \/v2\//,
      spoil: async (exchange) => {
        delete exchange.request.headers.authorization;
        await send(exchange.response, await forward(exchange));
      },
    },
    // The upload is over. That all of a blob's are, is not for a client to bear.
    expired: {
      fits: ENDS,
      spoil: async (exchange) => {
        const { url = '' } = exchange.request;
        const id = /uploads\/([^?]+)/.exec(url)?.[1] ?? '';
        if (++expired <= 2) exchange.registry.uploads.open.delete(id);
        await send(exchange.response, await forward(exchange));
      },
    },
    // It says that it has more than there is, which makes it another upload that is begun anew.
    wrongOffset: {
      fits: QUESTIONS,
      most: 1,
      spoil: async (exchange) => {
        const answer = await forward(exchange);
        const headers = { ...answer.headers, range: '0-999999999' };
        await send(exchange.response, { ...answer, headers });
      },
    },
    // A bit falls over. That this happens again and again is not for a client to bear.
    damagedUpload: {
      fits: ENDS,
      spoil: async (exchange) => {
        const damage = (body: Buffer): Buffer => {
          if (!isDamaged && body.length > 0) {
            isDamaged = true;
            body[0] = (body[0] ?? 0) ^ 0x80;
          }
          return body;
        };
        await send(exchange.response, await forward(exchange, damage));
      },
    },
  };
}

async function readPart(request: IncomingMessage, length: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  // The rest stays in the connection, which is about to break.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    size += chunk.length;
    if (size >= length) break;
  }
  return Buffer.concat(chunks).subarray(0, length);
}

/** The same request with another body. */
function withBody(exchange: Exchange, body: Buffer): Exchange {
  const { method, url, headers } = exchange.request;
  const request = Object.assign(Readable.from([body]), { method, url, headers });
  return { ...exchange, request: request as unknown as IncomingMessage };
}
