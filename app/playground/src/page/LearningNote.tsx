import { useState } from 'react';
import { counted } from '../shared/format';

/** As in docs/operations.md, "Learning from corrections". */
const COMMANDS = `genregraph learn --out learned-model
GENREGRAPH_MODEL_DIR=learned-model genregraph serve
genregraph reclassify --all
`;

/** As in ml/training/learn.py. */
const MIN_SONGS = 10;

interface Props {
  /** Total number of verified songs; null if unknown. */
  verified: number | null;
}

/** How the model learns from verified genres, with the next step. */
export function LearningNote({ verified }: Props) {
  const [copied, setCopied] = useState(false);
  async function copy() {
    await navigator.clipboard.writeText(COMMANDS);
    setCopied(true);
  }
  const missing = MIN_SONGS - (verified ?? 0);
  return (
    <div className="review-next quiet">
      <p>
        {missing > 0
          ? `The model can learn from ${MIN_SONGS} verified songs: ${counted(missing, 'song')} to go. Then, `
          : 'The model can learn from these songs now; more teach it more. Next, '}
        in a terminal (in a checkout, <code>.venv/bin/genregraph</code>):
      </p>
      <ol>
        <li>
          <code>genregraph learn</code> trains a new model.
        </li>
        <li>
          Stop the service, and <code>genregraph serve</code> with the new model. Without it, the
          previous model serves again.
        </li>
        <li>
          <code>genregraph reclassify</code> applies the model to all songs.
        </li>
      </ol>
      {/* Without TLS, browsers only offer the clipboard to local pages. */}
      {navigator.clipboard && (
        <button type="button" className="link" onClick={copy}>
          Copy commands
        </button>
      )}{' '}
      <span role="status">{copied && 'Copied'}</span>
    </div>
  );
}
