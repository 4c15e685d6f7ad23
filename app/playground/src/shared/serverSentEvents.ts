/** GraphQL over server-sent events in distinct connections mode: one response per subscription. */

/**
 * Yield the GraphQL results of an event stream until `complete`.
 *
 * See https://github.com/graphql/graphql-over-http/blob/main/rfcs/GraphQLOverSSE.md
 */
export async function* eventResults(stream: ReadableStream<Uint8Array>): AsyncGenerator<unknown> {
  const reader = stream.pipeThrough(new TextDecoderStream() as never).getReader();
  let text = '';
  try {
    while (true) {
      const { done, value } = await reader.read();
      if (done) return;
      text += String(value);
      const events = text.split(/\r\n\r\n|\n\n|\r\r/);
      text = events.pop() ?? '';
      for (const event of events) {
        const { name, data } = parseEvent(event);
        if (name === 'complete') return;
        if (name === 'next') yield JSON.parse(data);
      }
    }
  } finally {
    await reader.cancel();
  }
}

function parseEvent(event: string): { name: string; data: string } {
  const fields = event.split(/\r\n|\n|\r/).map((line) => {
    const colon = line.indexOf(':');
    return colon < 0
      ? ([line, ''] as const)
      : ([line.slice(0, colon), line.slice(colon + 1).replace(/^ /, '')] as const);
  });
  const values = (wanted: string) =>
    fields.filter(([field]) => field === wanted).map(([, value]) => value);
  return { name: values('event').at(-1) ?? 'message', data: values('data').join('\n') };
}
