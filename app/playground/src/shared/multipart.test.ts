import { expect, it } from 'vitest';
import { multipartBody } from './multipart';

const file = (name: string) => new File(['a'], name);

it('puts one file into its variable', () => {
  const body = multipartBody(
    { query: 'mutation', variables: { options: { a: 1 } }, operationName: 'A' },
    { file: file('one.csv') },
  );
  expect([...body.keys()]).toEqual(['operations', 'map', '0']);
  expect(JSON.parse(String(body.get('operations')))).toEqual({
    query: 'mutation',
    variables: { options: { a: 1 }, file: null },
    operationName: 'A',
  });
  expect(JSON.parse(String(body.get('map')))).toEqual({ 0: ['variables.file'] });
  expect((body.get('0') as File).name).toBe('one.csv');
});

it('puts several files into a list, beside a single file', () => {
  const body = multipartBody(
    { query: 'mutation' },
    { files: [file('one.csv'), file('two.csv')], other: file('three.csv') },
  );
  expect([...body.keys()]).toEqual(['operations', 'map', '0', '1', '2']);
  expect(JSON.parse(String(body.get('operations'))).variables).toEqual({
    files: [null, null],
    other: null,
  });
  expect(JSON.parse(String(body.get('map')))).toEqual({
    0: ['variables.files.0'],
    1: ['variables.files.1'],
    2: ['variables.other'],
  });
});
