import { CredentialsForm } from '../shared/CredentialsForm';
import { credentials, signOut } from '../shared/credentials';
import type { Failure } from '../shared/failure';
import { useStore } from '../shared/store';
import { Dialog } from './Dialog';

/** The page before sign-in. */
export function SignIn({ failure }: { failure: Failure | null }) {
  return (
    <section className="card sign-in" aria-labelledby="sign-in-title">
      <h2 id="sign-in-title">Sign in</h2>
      <p>Enter your client ID and secret. They stay in this browser tab.</p>
      {failure && (
        <p className="notice bad" role="alert">
          {failure.message}
        </p>
      )}
      <CredentialsForm submitLabel="Sign in" />
    </section>
  );
}

/** A dialog to change the client or sign out. */
export function ClientDialog({ onClose }: { onClose: () => void }) {
  const client = useStore(credentials);
  return (
    <Dialog title={client ? `Signed in as ${client.clientId}` : 'Sign in'} onClose={onClose}>
      <p>To switch clients, enter another ID and secret. They stay in this browser tab.</p>
      <CredentialsForm submitLabel="Sign in" onDone={onClose} />
      <button
        type="button"
        className="secondary"
        onClick={() => {
          signOut();
          onClose();
        }}
      >
        Sign out
      </button>
    </Dialog>
  );
}
