import { type GraphiQLPlugin, useGraphiQL } from '@graphiql/react';
import { type DragEvent, useId, useState } from 'react';
import { fileSize } from '../shared/failure';
import { useStore } from '../shared/store';
import { chosenOperation, pick, picked, type UploadVariable, uploadVariables } from './uploads';

/** A file picker and drop zone for each `Upload` variable of the current operation. */
function FilesPanel() {
  const operations = useGraphiQL((state) => state.operations);
  const operationName = useGraphiQL((state) => state.operationName);
  const variables = uploadVariables(chosenOperation(operations ?? [], operationName));
  return (
    <section className="files" aria-label="Files">
      <div className="graphiql-doc-explorer-title">Files</div>
      {variables.length === 0 ? (
        <p>
          This operation takes no file. Each variable of type <code>Upload</code> gets a picker
          here.
        </p>
      ) : (
        variables.map((variable) => <Picker key={variable.name} variable={variable} />)
      )}
    </section>
  );
}

function Picker({ variable }: { variable: UploadVariable }) {
  const files = useStore(picked)[variable.name] ?? [];
  const [over, setOver] = useState(false);
  const id = useId();

  function drop(event: DragEvent) {
    event.preventDefault();
    setOver(false);
    if (event.dataTransfer.files.length > 0) pick(variable, [...event.dataTransfer.files]);
  }

  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the picker inside works by keyboard
    <div
      className={`picker ${over ? 'over' : ''}`}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={drop}
    >
      <p id={`${id}-name`}>
        {variable.list ? 'Files for ' : 'File for '}
        <code>${variable.name}</code>
      </p>
      <p>
        <label className="choose">
          {variable.list ? 'Choose files' : 'Choose a file'}
          <input
            type="file"
            multiple={variable.list}
            accept=".csv,text/csv"
            aria-labelledby={`${id}-name`}
            onChange={(event) => {
              if (event.target.files?.length) pick(variable, [...event.target.files]);
              event.target.value = ''; // so that picking the same file again is a change
            }}
          />
        </label>{' '}
        <span>or drop {variable.list ? 'them' : 'it'} here</span>
      </p>
      <ul aria-live="polite">
        {files.map((file) => (
          <li key={file.name}>
            {file.name} <span>({fileSize(file.size)})</span>
          </li>
        ))}
      </ul>
    </div>
  );
}

function FileIcon() {
  return (
    <svg viewBox="0 0 24 24" fill="none" stroke="currentColor" strokeWidth="1.6" aria-hidden="true">
      <path d="M12 15V4m0 0L7.5 8.5M12 4l4.5 4.5M4 15v3a2 2 0 0 0 2 2h12a2 2 0 0 0 2-2v-3" />
    </svg>
  );
}

export const FILES_PLUGIN: GraphiQLPlugin = {
  title: 'Files',
  icon: FileIcon,
  content: FilesPanel,
};
