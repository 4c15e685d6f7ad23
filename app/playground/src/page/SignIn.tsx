import { CredentialsForm } from '../shared/CredentialsForm';
import { signOut } from '../shared/credentials';
import type { Failure } from '../shared/failure';
import { Dialog } from './Dialog';

/** The page of somebody who has not signed in. */
export function SignIn({ failure }: { failure: Failure | null }) {
  return (
    <section className="card sign-in" aria-labelledby="sign-in-title">
      <h2 id="sign-in-title">Sign in</h2>
      <p>Enter your client ID and secret. They are kept in this browser tab only.</p>
      {failure && (
        <p className="notice bad" role="alert">
          {failure.message}
        </p>
      )}
      <CredentialsForm submitLabel="Sign in" />
    </section>
  );
}

/** Signs in as another client, or out. */
export function ClientDialog({ onClose }: { onClose: () => void }) {
  return (
    <Dialog title="Client" onClose={onClose}>
      <p>The client ID and secret are kept in this browser tab only.</p>
      <CredentialsForm submitLabel="Sign in" onDone={onClose} />
      <p>
        <button
          type="button"
          className="link"
          onClick={() => {
            signOut();
            onClose();
          }}
        >
          Sign out
        </button>
      </p>
    </Dialog>
  );
}
