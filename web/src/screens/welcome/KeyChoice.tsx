/** A provider's key: found in the environment and offered, stored before, or typed in now. */
import { useState } from 'react';
import type { Models, ProviderKey } from '../../api/types';
import { Button } from '../../ui/Button';
import { Field } from '../../ui/Field';
import { ModelSelect } from '../runs/ModelSelect';
import { KeyForm } from '../settings/KeyForm';
import { TestAndUse } from './TestAndUse';

/** The models that a provider's key opens: `openai` speaks two wires. */
export function modelsOf(models: Models, provider: string): Models {
  const items = models.items.filter(
    (model) => model.name.startsWith(`${provider}/`) || model.name.startsWith(`${provider}-`),
  );
  return { ...models, items, local: [] };
}

export function KeyChoice({ models, connected }: { models: Models; connected(model: string): void }) {
  const found = models.keys.find((key) => key.source !== 'none');
  const [provider, setProvider] = useState(found?.provider ?? models.keys[0]?.provider ?? '');
  const key = models.keys.find((entry) => entry.provider === provider);
  return (
    <div className="flex flex-col gap-3">
      <Field label="Provider" htmlFor="provider">
        <select
          id="provider"
          className="field"
          value={provider}
          onChange={(event) => setProvider(event.target.value)}
        >
          {models.keys.map((entry) => (
            <option key={entry.provider} value={entry.provider}>
              {entry.provider} {entry.source === 'none' ? '' : `(key ${SOURCES[entry.source]})`}
            </option>
          ))}
        </select>
      </Field>
      {key && (
        <WithKey key={provider} providerKey={key} models={modelsOf(models, provider)} connected={connected} />
      )}
    </div>
  );
}

const SOURCES = { environment: 'in the environment', stored: 'stored' };

interface WithKeyProps {
  providerKey: ProviderKey;
  models: Models;
  connected(model: string): void;
}

function WithKey({ providerKey, models, connected }: WithKeyProps) {
  const [consent, setConsent] = useState(false);
  const [another, setAnother] = useState(false);
  if (providerKey.source === 'none' || another)
    return <KeyForm provider={providerKey.provider} saved={() => setAnother(false)} />;
  if (providerKey.source === 'environment' && !consent)
    return (
      <div className="text-sm text-ink-2">
        <p>
          A key for {providerKey.provider} is in this server's environment. It is used only if you say so.
        </p>
        <div className="flex flex-wrap gap-2 mt-2">
          <Button kind="solid" onClick={() => setConsent(true)}>
            Use that key
          </Button>
          <Button kind="line" onClick={() => setAnother(true)}>
            Enter another
          </Button>
        </div>
      </div>
    );
  return (
    <div className="flex flex-col gap-3">
      <ModelOfKey models={models} connected={connected} />
      <p className="text-xs text-ink-3">
        The key is{' '}
        {providerKey.source === 'stored' ? "sealed with this server's master key" : 'in the environment'}.{' '}
        <button type="button" className="link min-h-6" onClick={() => setAnother(true)}>
          Enter another
        </button>
      </p>
    </div>
  );
}

/** Mounted once the key is there, so that the models it opens can be chosen from. */
function ModelOfKey({ models, connected }: { models: Models; connected(model: string): void }) {
  const [model, setModel] = useState(models.items.find((item) => item.available)?.name ?? '');
  return (
    <>
      <Field label="Model" htmlFor="key-model">
        <ModelSelect id="key-model" models={models} value={model} onChange={setModel} />
      </Field>
      <TestAndUse model={model} connected={connected} />
    </>
  );
}
