/** Tokens for the API: made here, shown once, revoked here. */
import { useMutation, useQuery } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { request } from '../../api/client';
import { queryClient, tokensQuery } from '../../api/queries';
import type { Token } from '../../api/types';
import { Button } from '../../ui/Button';
import { Field } from '../../ui/Field';
import { when } from '../../ui/format';
import { ErrorPanel, Loading } from '../../ui/states';
import { CopyButton } from '../run/CopyButton';

const refresh = () => queryClient.invalidateQueries({ queryKey: tokensQuery.queryKey });

export function Tokens() {
  const tokens = useQuery(tokensQuery);
  return (
    <div className="flex flex-col gap-4">
      {tokens.isPending && <Loading label="Loading the tokens" rows={2} />}
      {tokens.error && (
        <ErrorPanel
          error={tokens.error}
          title="The tokens could not be read."
          retry={() => void tokens.refetch()}
        />
      )}
      {tokens.data &&
        (tokens.data.items.length === 0 ? (
          <p className="text-sm text-ink-2">No token yet.</p>
        ) : (
          <ul>
            {tokens.data.items.map((token) => (
              <TokenRow key={token.id} token={token} />
            ))}
          </ul>
        ))}
      <Make />
    </div>
  );
}

const scopesText = (token: Token): string =>
  token.scopes.includes('*') ? 'everything' : token.scopes.join(', ');

function TokenRow({ token }: { token: Token }) {
  const revoke = useMutation({
    mutationFn: () => request('DELETE', `/v1/tokens/${token.id}`),
    onSuccess: refresh,
  });
  const used = token.last_used_at_ms ? `last used ${when(token.last_used_at_ms)}` : 'not used yet';
  return (
    <li className="hair flex flex-wrap items-center gap-x-3 min-h-11">
      <span className="text-sm font-[560]">{token.name}</span>
      <span className="text-xs text-ink-3 flex-1">
        {[token.kind === 'login' ? 'this or another browser' : scopesText(token), used].join(' · ')}
      </span>
      <Button disabled={revoke.isPending} onClick={() => revoke.mutate()}>
        Revoke
      </Button>
      {revoke.error && <ErrorPanel compact error={revoke.error} title="The token was not revoked." />}
    </li>
  );
}

function Make() {
  const [name, setName] = useState('');
  const make = useMutation({
    mutationFn: () => request<Token>('POST', '/v1/tokens', { body: { name: name.trim() } }),
    onSuccess: () => {
      setName('');
      void refresh();
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (name.trim() !== '') make.mutate();
  };
  return (
    <form onSubmit={submit} className="flex flex-col gap-2">
      <Field label="Name of a new token" htmlFor="token-name">
        <div className="flex gap-2">
          <input
            id="token-name"
            className="field"
            value={name}
            onChange={(event) => setName(event.target.value)}
          />
          <Button kind="line" type="submit" disabled={name.trim() === '' || make.isPending}>
            Make a token
          </Button>
        </div>
      </Field>
      {make.error && <ErrorPanel compact error={make.error} title="No token was made." />}
      {make.data?.token && (
        <div role="status" className="rounded-md bg-ok-tint px-3 py-2 text-sm">
          <p>This is the only time that the token is shown.</p>
          <p className="flex flex-wrap items-center gap-2">
            <code className="font-mono text-xs wrap-anywhere">{make.data.token}</code>
            <CopyButton text={make.data.token}>Copy</CopyButton>
          </p>
        </div>
      )}
    </form>
  );
}
