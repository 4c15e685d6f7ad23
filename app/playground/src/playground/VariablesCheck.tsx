import { useGraphiQL, useMonaco } from '@graphiql/react';
import { useEffect } from 'react';
import { chosenOperation } from './uploads';
import { variablesSchema } from './variablesSchema';

const COMMENTS = { allowComments: true, trailingCommas: 'ignore' } as const;

/**
 * Marks errors in the variables instead of monaco-graphql. That requires variables with a default, and
 * after a change of tabs checks them against the previous tab's operation until its worker responds.
 */
export function VariablesCheck() {
  const monaco = useMonaco((state) => state.monaco);
  const monacoGraphQL = useMonaco((state) => state.monacoGraphQL);
  const queryEditor = useGraphiQL((state) => state.queryEditor);
  const variableEditor = useGraphiQL((state) => state.variableEditor);
  const schema = useGraphiQL((state) => state.schema);
  const operations = useGraphiQL((state) => state.operations);
  const operationName = useGraphiQL((state) => state.operationName);
  const operation = chosenOperation(operations ?? [], operationName);
  const model = variableEditor?.getModel()?.uri.toString();
  const wanted = schema && operation ? JSON.stringify(variablesSchema(schema, operation)) : null;

  useEffect(() => {
    if (queryEditor) monacoGraphQL?.setDiagnosticSettings({ validateVariablesJSON: {} });
  }, [monacoGraphQL, queryEditor]);

  useEffect(() => {
    if (!monaco || !model) return;
    monaco.languages.json.jsonDefaults.setDiagnosticsOptions({
      ...COMMENTS,
      schemaValidation: 'error',
      schemas: wanted
        ? [{ uri: `${model}.schema`, fileMatch: [model], schema: JSON.parse(wanted) }]
        : [],
    });
  }, [monaco, model, wanted]);

  return null;
}
