import { buildSchema, type OperationDefinitionNode, parse } from 'graphql';
import { expect, it } from 'vitest';
import { variablesSchema } from './variablesSchema';

const schema = buildSchema(`
  scalar Upload
  input Options { limit: Float! = 0, name: String!, note: String }
  type Query { x(a: Int, b: Int, file: Upload, options: Options): Int }
`);

const schemaOf = (text: string) =>
  variablesSchema(schema, parse(text).definitions[0] as OperationDefinitionNode);

it('requires non-null variables without a default', () => {
  const made = schemaOf('query ($a: Int!, $b: Int! = 3, $file: Upload!, $options: Options) { x }');
  expect(made.required).toEqual(['a', 'file']);
  expect(Object.keys(made.properties ?? {})).toEqual(['a', 'b', 'file', 'options']);
  expect(made.definitions?.Options).toMatchObject({ required: ['name'] });
  expect(made.additionalProperties).toBe(false);
});

it('requires nothing of an operation without variables', () => {
  expect(schemaOf('{ x }')).toMatchObject({ properties: {}, required: [] });
});
