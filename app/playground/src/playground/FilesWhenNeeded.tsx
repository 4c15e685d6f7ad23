import { useGraphiQL, useGraphiQLActions } from '@graphiql/react';
import { useEffect, useRef } from 'react';
import { FILES_PLUGIN } from './FilesPanel';
import { chosenOperation, uploadVariables } from './uploads';

/** Opens the Files panel for operations that take a file, and closes it for others. */
export function FilesWhenNeeded() {
  const operations = useGraphiQL((state) => state.operations);
  const operationName = useGraphiQL((state) => state.operationName);
  const visible = useGraphiQL((state) => state.visiblePlugin);
  const { setVisiblePlugin } = useGraphiQLActions();
  const takesFile = uploadVariables(chosenOperation(operations ?? [], operationName)).length > 0;
  const open = useRef(visible);
  open.current = visible;
  const known = operations !== undefined;
  useEffect(() => {
    if (!known) return;
    document.body.classList.toggle('takes-no-file', !takesFile);
    if (takesFile && !open.current) setVisiblePlugin(FILES_PLUGIN);
    if (!takesFile && open.current === FILES_PLUGIN) setVisiblePlugin(null);
  }, [known, takesFile, setVisiblePlugin]);
  return null;
}
