import { expect, it } from 'vitest';
import { eventResults } from './serverSentEvents';

async function results(...chunks: string[]): Promise<unknown[]> {
  const encoder = new TextEncoder();
  const stream = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(encoder.encode(chunk));
      controller.close();
    },
  });
  const found: unknown[] = [];
  for await (const result of eventResults(stream)) found.push(result);
  return found;
}

it('reads results until the stream is complete', async () => {
  expect(
    await results(
      'event: next\ndata: {"data":{"a":1}}\n\n',
      ':\n\nevent: next\ndata: {"data":\ndata: {"a":2}}\n\nevent: complete\ndata:\n\n',
      'event: next\ndata: {"data":{"a":3}}\n\n',
    ),
  ).toEqual([{ data: { a: 1 } }, { data: { a: 2 } }]);
});

it('accepts any chunks and line ends', async () => {
  const stream =
    'event: next\r\ndata: {"data":{"ä":1}}\r\n\r\nevent:next\r\ndata:{"data":null}\r\n\r\n';
  expect(await results(...stream)).toEqual([{ data: { ä: 1 } }, { data: null }]);
});
