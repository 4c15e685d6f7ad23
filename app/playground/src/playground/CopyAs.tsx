import { ToolbarButton, ToolbarMenu, useGraphiQL } from '@graphiql/react';
import { useState } from 'react';
import { ENDPOINT } from './fetcher';
import { LANGUAGES, type Language, snippet } from './snippets';
import { chosenOperation, filesFor, uploadVariables } from './uploads';

/** Copies the current operation as code, with its variables and files. */
export function CopyAs() {
  const operations = useGraphiQL((state) => state.operations);
  const operationName = useGraphiQL((state) => state.operationName);
  const queryEditor = useGraphiQL((state) => state.queryEditor);
  const variableEditor = useGraphiQL((state) => state.variableEditor);
  const [note, setNote] = useState('');

  async function copy(language: Language) {
    const operation = chosenOperation(operations ?? [], operationName);
    const name = operation?.name?.value;
    let variables: Record<string, unknown> = {};
    try {
      variables = JSON.parse(variableEditor?.getValue() || '{}');
    } catch {
      setNote('The variables are not valid JSON');
      return;
    }
    const uploads = uploadVariables(operation);
    const { files } = filesFor(uploads);
    for (const { name: variable } of uploads) {
      files[variable] ??= new File([], 'songs.csv');
    }
    const body = {
      query: queryEditor?.getValue() ?? '',
      variables,
      ...(name ? { operationName: name } : {}),
    };
    await navigator.clipboard.writeText(snippet(language, ENDPOINT, body, files));
    setNote(`Copied as ${language}`);
  }

  return (
    <>
      <ToolbarMenu
        button={
          <ToolbarButton label="Copy as a program">
            <CodeIcon />
          </ToolbarButton>
        }
      >
        {LANGUAGES.map((language) => (
          <ToolbarMenu.Item key={language} onSelect={() => copy(language)}>
            Copy as {language}
          </ToolbarMenu.Item>
        ))}
      </ToolbarMenu>
      <span className="unseen" role="status">
        {note}
      </span>
    </>
  );
}

function CodeIcon() {
  return (
    <svg
      className="graphiql-toolbar-icon"
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.8"
      aria-hidden="true"
    >
      <path d="M8 7l-5 5 5 5M16 7l5 5-5 5M14 4l-4 16" />
    </svg>
  );
}
