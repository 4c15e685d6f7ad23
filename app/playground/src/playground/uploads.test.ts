import { type OperationDefinitionNode, parse } from 'graphql';
import { expect, it } from 'vitest';
import { chosenOperation, filesFor, pick, uploadVariables } from './uploads';

const operations = (text: string) => parse(text).definitions as OperationDefinitionNode[];

it('finds Upload variables, single and in lists, required or not', () => {
  const [operation] = operations(
    'mutation ($a: Upload!, $b: [Upload!]!, $c: Upload, $d: String, $e: [[Upload]]) { x }',
  );
  expect(uploadVariables(operation)).toEqual([
    { name: 'a', list: false },
    { name: 'b', list: true },
    { name: 'c', list: false },
    { name: 'e', list: true },
  ]);
  expect(uploadVariables(undefined)).toEqual([]);
});

it('takes the named operation, or the first', () => {
  const [a, b] = operations('query A { x } query B { x }');
  expect(chosenOperation([a, b] as OperationDefinitionNode[], 'B')).toBe(b);
  expect(chosenOperation([a, b] as OperationDefinitionNode[], 'C')).toBe(a);
  expect(chosenOperation([], null)).toBeUndefined();
});

it('collects picked files, and names missing ones', () => {
  const [one, two] = [new File(['1'], '1.csv'), new File(['2'], '2.csv')];
  const [single, list, missing] = [
    { name: 'single', list: false },
    { name: 'list', list: true },
    { name: 'missing', list: false },
  ];
  pick(single, [one, two]);
  pick(list, [one, two]);
  expect(filesFor([single, list, missing])).toEqual({
    files: { single: one, list: [one, two] },
    missing: ['missing'],
  });
});
