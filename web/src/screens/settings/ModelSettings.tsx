/** The default model and the providers' keys. */
import { useMutation, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { request } from '../../api/client';
import { modelsQuery, queryClient } from '../../api/queries';
import type { Models, ProviderKey } from '../../api/types';
import { Button } from '../../ui/Button';
import { Field } from '../../ui/Field';
import { ErrorPanel, Loading } from '../../ui/states';
import { ModelSelect } from '../runs/ModelSelect';
import { TestAndUse } from '../welcome/TestAndUse';
import { KeyForm } from './KeyForm';

export function ModelSettings() {
  const models = useQuery(modelsQuery);
  if (models.error)
    return (
      <ErrorPanel
        error={models.error}
        title="The models could not be read."
        retry={() => void models.refetch()}
      />
    );
  if (!models.data) return <Loading label="Loading the models" />;
  return (
    <div className="flex flex-col gap-5">
      <DefaultModel models={models.data} />
      <ul aria-label="Provider keys" className="border-t border-line">
        {models.data.keys.map((key) => (
          <KeyRow key={key.provider} providerKey={key} />
        ))}
      </ul>
    </div>
  );
}

function DefaultModel({ models }: { models: Models }) {
  const [model, setModel] = useState(models.default ?? '');
  return (
    <div className="flex flex-col gap-3">
      <Field label="Model for new runs" htmlFor="default-model">
        <ModelSelect id="default-model" models={models} value={model} onChange={setModel} />
      </Field>
      <TestAndUse model={model} connected={setModel} />
      {models.default !== null && models.default === model && (
        <p className="text-xs text-ink-3">This is the model that new runs use now.</p>
      )}
    </div>
  );
}

const SOURCES: Record<ProviderKey['source'], string> = {
  environment: 'key in the environment, used only when its model is chosen',
  stored: 'key stored',
  none: 'no key',
};

function KeyRow({ providerKey }: { providerKey: ProviderKey }) {
  const [open, setOpen] = useState(false);
  const remove = useMutation({
    mutationFn: () => request('DELETE', `/v1/models/keys/${encodeURIComponent(providerKey.provider)}`),
    onSuccess: () => queryClient.invalidateQueries({ queryKey: modelsQuery.queryKey }),
  });
  return (
    <li className="hair py-2">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1 min-h-9">
        <span className="text-sm font-[560] w-24">{providerKey.provider}</span>
        <span className="text-sm text-ink-2 flex-1 min-w-[160px]">{SOURCES[providerKey.source]}</span>
        <Button aria-expanded={open} onClick={() => setOpen(!open)}>
          {providerKey.source === 'none' ? 'Add a key' : 'Replace'}
        </Button>
        {providerKey.source === 'stored' && (
          <Button disabled={remove.isPending} onClick={() => remove.mutate()}>
            Remove
          </Button>
        )}
      </div>
      {remove.error && <ErrorPanel compact error={remove.error} title="The key was not removed." />}
      {open && (
        <div className="py-2">
          <KeyForm provider={providerKey.provider} saved={() => setOpen(false)} />
        </div>
      )}
    </li>
  );
}
