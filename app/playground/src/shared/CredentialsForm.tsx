import { type FormEvent, useId } from 'react';
import { credentials, remember } from './credentials';
import { useStore } from './store';

interface Props {
  onDone?: () => void;
  submitLabel: string;
}

/** Fields for the client ID and secret, which are kept for this tab only. */
export function CredentialsForm({ onDone, submitLabel }: Props) {
  const known = useStore(credentials);
  const id = useId();

  function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    remember({
      clientId: String(form.get('client-id')).trim(),
      clientSecret: String(form.get('client-secret')).trim(),
    });
    onDone?.();
  }

  return (
    <form className="credentials" onSubmit={submit} key={known?.clientId}>
      <label htmlFor={`${id}-id`}>
        Client ID
        <input
          id={`${id}-id`}
          name="client-id"
          defaultValue={known?.clientId}
          autoComplete="username"
          spellCheck={false}
          required
        />
      </label>
      <label htmlFor={`${id}-secret`}>
        Client secret
        <input
          id={`${id}-secret`}
          name="client-secret"
          type="password"
          defaultValue={known?.clientSecret}
          autoComplete="current-password"
          required
        />
      </label>
      <button type="submit">{submitLabel}</button>
    </form>
  );
}
