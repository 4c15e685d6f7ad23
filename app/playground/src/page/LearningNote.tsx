import { useState } from 'react';

/** As in docs/operations.md, "Learning from corrections". */
const COMMANDS = `genregraph learn --out learned-model
GENREGRAPH_MODEL_DIR=learned-model genregraph serve
genregraph reclassify --all
`;

/** What becomes of verified genres. */
export function LearningNote() {
  const [copied, setCopied] = useState(false);
  async function copy() {
    await navigator.clipboard.writeText(COMMANDS);
    setCopied(true);
  }
  return (
    <p className="review-next quiet">
      With at least 10 verified songs, <code>genregraph learn</code> trains a new model. Serve it,
      then <code>genregraph reclassify</code> applies it to all songs.{' '}
      {/* Browsers have no clipboard for pages of other hosts without TLS. */}
      {navigator.clipboard && (
        <button type="button" className="link" onClick={copy}>
          Copy commands
        </button>
      )}{' '}
      <span role="status">{copied && 'Copied'}</span>
    </p>
  );
}
