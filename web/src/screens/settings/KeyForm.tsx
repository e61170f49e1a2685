/** Stores a provider's key. It is written, never shown again. */
import { useMutation } from '@tanstack/react-query';
import { type FormEvent, useId, useState } from 'react';
import { request } from '../../api/client';
import { modelsQuery, queryClient } from '../../api/queries';
import { Button } from '../../ui/Button';
import { Field } from '../../ui/Field';
import { ErrorPanel } from '../../ui/states';

export function KeyForm({ provider, saved }: { provider: string; saved?(): void }) {
  const id = useId();
  const [key, setKey] = useState('');
  const [address, setAddress] = useState('');
  const save = useMutation({
    mutationFn: async () => {
      const body = address.trim() === '' ? { key } : { key, base_url: address.trim() };
      await request('PUT', `/v1/models/keys/${encodeURIComponent(provider)}`, { body });
      await queryClient.invalidateQueries({ queryKey: modelsQuery.queryKey });
    },
    onSuccess: () => {
      setKey('');
      saved?.();
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    save.mutate();
  };
  return (
    <form onSubmit={submit} className="flex flex-col gap-3">
      <Field label={`Key for ${provider}`} htmlFor={`${id}-key`}>
        <input
          id={`${id}-key`}
          type="password"
          autoComplete="off"
          spellCheck={false}
          className="field font-mono"
          value={key}
          onChange={(event) => setKey(event.target.value)}
        />
      </Field>
      <Field
        label="Address (optional)"
        htmlFor={`${id}-url`}
        hint="Only for a server other than the provider's own."
      >
        <input
          id={`${id}-url`}
          type="url"
          className="field font-mono"
          placeholder="https://"
          value={address}
          onChange={(event) => setAddress(event.target.value)}
        />
      </Field>
      {save.error && <ErrorPanel compact error={save.error} title="The key was not stored." />}
      <div className="flex flex-wrap items-center gap-3">
        <Button kind="line" type="submit" disabled={key === '' || save.isPending}>
          {save.isPending ? 'Storing' : 'Store the key'}
        </Button>
        <span className="text-xs text-ink-3">Sealed with this server's master key before it is stored.</span>
      </div>
    </form>
  );
}
