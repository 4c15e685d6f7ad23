import { HISTORY_PLUGIN } from '@graphiql/plugin-history';
import { useGraphiQLActions, useMonaco } from '@graphiql/react';
import { GraphiQL } from 'graphiql';
import { useEffect, useMemo, useRef, useState } from 'react';
import { CredentialsForm } from '../shared/CredentialsForm';
import type { Configuration } from '../shared/configuration';
import { credentials } from '../shared/credentials';
import { percent } from '../shared/format';
import { useStore } from '../shared/store';
import { FILES_PLUGIN } from './FilesPanel';
import { createFetcher, failure, uploaded } from './fetcher';
import { repairMarkup } from './graphiqlMarkup';
import { READY_TABS } from './tabs';

/** GraphiQL, with a bar above it for the credentials, the upload's progress and what went wrong. */
export function App({ configuration }: { configuration: Configuration }) {
  const { maxUploadBytes, introspection } = configuration;
  const fetcher = useMemo(() => createFetcher(maxUploadBytes), [maxUploadBytes]);
  const client = useStore(credentials);
  const main = useRef<HTMLElement>(null);
  useEffect(() => (main.current ? repairMarkup(main.current) : undefined), []);
  return (
    <>
      <header className="top">
        <a className="brand" href="./" aria-label="genregraph, the page for people">
          <img src="icon.svg" alt="" width="28" height="28" /> genregraph
        </a>
        <h1>Playground</h1>
        <CredentialsForm submitLabel="Use" />
      </header>
      <Status introspection={introspection} />
      <main aria-label="GraphQL editor" ref={main}>
        <GraphiQL
          fetcher={fetcher}
          // Without credentials, or where the service keeps its schema to itself, asking for it only
          // brings an error.
          {...(introspection && client ? {} : { schema: null })}
          plugins={[HISTORY_PLUGIN, FILES_PLUGIN]}
          visiblePlugin={FILES_PLUGIN}
          defaultTabs={READY_TABS}
          defaultEditorToolsVisibility="variables"
          shouldPersistHeaders={false}
          // A file comes from its picker; in the variables there is only its place.
          customScalarSchemas={{ Upload: {} }}
        >
          <GraphiQL.Logo> </GraphiQL.Logo>
          <GraphiQL.Footer>
            <FreshSchema />
            <ReadableComments />
          </GraphiQL.Footer>
        </GraphiQL>
      </main>
    </>
  );
}

/** Reads the schema again when other credentials were typed: with the wrong ones there was none. */
function FreshSchema() {
  const client = useStore(credentials);
  const { introspect } = useGraphiQLActions();
  const last = useRef(client);
  useEffect(() => {
    if (last.current === client) return;
    last.current = client;
    introspect();
  }, [client, introspect]);
  return null;
}

/** GraphiQL's dark theme, with comments light enough to read. */
function ReadableComments() {
  const monaco = useMonaco((state) => state.monaco);
  useEffect(() => {
    monaco?.editor.defineTheme('graphiql-DARK', {
      base: 'vs-dark',
      inherit: true,
      rules: [
        { token: 'comment', foreground: '94bd7e' },
        { token: 'argument.identifier.gql', foreground: 'a29dff' },
      ],
      colors: {
        'editor.background': '#ffffff00',
        'scrollbar.shadow': '#ffffff00',
        'editorHoverWidget.background': '#212a3b',
        'editorSuggestWidget.background': '#212a3b',
        'editorWidget.background': '#212a3b',
        'quickInput.background': '#212a3b',
        'menu.background': '#212a3b',
      },
    });
  }, [monaco]);
  return null;
}

/** What there is to say, over the editors and not above them: a button must not move under the mouse. */
function Status({ introspection }: { introspection: boolean }) {
  const share = useStore(uploaded);
  const shown = useStore(failure);
  const client = useStore(credentials);
  const [explained, setExplained] = useState(false);
  if (share !== null) {
    return (
      <div className="bar" role="status">
        <progress aria-label="Upload" {...(share < 1 ? { value: share } : {})} />
        {share < 1 ? `Uploading, ${percent(share)}` : 'Uploaded; the service is at work …'}
      </div>
    );
  }
  if (shown) {
    return (
      <div className="bar bad" role="alert">
        {shown.message}
        <button type="button" onClick={() => failure.set(null)}>
          Close
        </button>
      </div>
    );
  }
  if (!client) {
    return <p className="bar">Enter your client id and secret above to begin.</p>;
  }
  if (!introspection && !explained) {
    return (
      <div className="bar">
        This service keeps its schema to itself (GENREGRAPH_INTROSPECTION), so there are no
        completions and no documentation here.
        <button type="button" onClick={() => setExplained(true)}>
          Close
        </button>
      </div>
    );
  }
  return null;
}
