/** The JSON Schema of an operation's variables, by which the editor checks them. */

import {
  type GraphQLSchema,
  getNamedType,
  isInputObjectType,
  Kind,
  type OperationDefinitionNode,
} from 'graphql';
import { collectVariables, getVariablesJSONSchema } from 'graphql-language-service';

export interface VariablesSchema {
  properties?: Record<string, unknown>;
  required?: string[];
  additionalProperties?: boolean;
  definitions?: Record<string, { required?: string[] }>;
}

/**
 * Like GraphiQL's schema, except that variables and input fields with a default are not required.
 * GraphQL allows omitting them, whatever their type.
 */
export function variablesSchema(
  schema: GraphQLSchema,
  operation: OperationDefinitionNode,
): VariablesSchema {
  const types = collectVariables(schema, { kind: Kind.DOCUMENT, definitions: [operation] });
  const made = getVariablesJSONSchema(types, {
    useMarkdownDescription: true,
    // The file comes from its picker; the variables only contain a placeholder.
    scalarSchemas: { Upload: {} },
  }) as VariablesSchema;
  const withDefault = new Set(
    operation.variableDefinitions?.flatMap(({ variable, defaultValue }) =>
      defaultValue ? [variable.name.value] : [],
    ),
  );
  const definitions = Object.entries(made.definitions ?? {}).map(
    ([name, { required, ...rest }]) => [
      name,
      { ...rest, required: requiredFields(schema, name, required ?? []) },
    ],
  );
  return {
    ...made,
    required: made.required?.filter((name) => !withDefault.has(name)) ?? [],
    definitions: Object.fromEntries(definitions),
  };
}

function requiredFields(schema: GraphQLSchema, typeName: string, required: string[]): string[] {
  const type = getNamedType(schema.getType(typeName));
  if (!isInputObjectType(type)) return required;
  const fields = type.getFields();
  return required.filter((name) => fields[name]?.defaultValue === undefined);
}
