import { expect, it } from 'vitest';
import { LANGUAGES, snippet } from './snippets';

const ENDPOINT = 'http://localhost:8000/graphql';
const query = { query: 'query A { songs(titleContains: "it\'s") { totalCount } }' };

it('quotes curl arguments for the shell', () => {
  expect(snippet('cURL', ENDPOINT, query, {})).toBe(`curl 'http://localhost:8000/graphql' \\
  -H "client-id: $CLIENT_ID" \\
  -H "client-secret: $CLIENT_SECRET" \\
  -H 'content-type: application/json' \\
  -d '{
  "query": "query A { songs(titleContains: \\"it'\\''s\\") { totalCount } }",
  "variables": {}
}'
`);
});

it.each(LANGUAGES)('includes the upload and no secret in %s', (language) => {
  const mutation = { query: 'mutation ($file: Upload!) { x }', variables: { file: null, n: 1 } };
  const text = snippet(language, ENDPOINT, mutation, { file: new File(['a'], 'my songs.csv') });
  expect(text).toContain('my songs.csv');
  expect(text).toContain('"variables.file"');
  expect(text).toContain('"n": 1');
  expect(text).toContain('CLIENT_SECRET');
  expect(text).toContain('graphql-preflight');
});
