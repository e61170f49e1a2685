/** Chooses a model: those that the server knows, or any other by its name. */
import { useState } from 'react';
import type { Models } from '../../api/types';

const OTHER = ':other';

interface Props {
  id: string;
  models: Models;
  value: string;
  onChange(name: string): void;
}

/** Models for people's own repositories: the built-in stories play only on their own sample. */
export function ownModels(models: Models): Models['items'] {
  return models.items.filter((model) => !model.scripted);
}

export function ModelSelect({ id, models, value, onChange }: Props) {
  const known = ownModels(models);
  const [typed, setTyped] = useState(value !== '' && !known.some((model) => model.name === value));
  return (
    <div className="flex flex-col gap-2">
      <select
        id={id}
        className="field"
        value={typed ? OTHER : value}
        onChange={(event) => {
          const other = event.target.value === OTHER;
          setTyped(other);
          onChange(other ? '' : event.target.value);
        }}
      >
        {value === '' && !typed && <option value="">Choose a model</option>}
        {known.map((model) => (
          <option key={model.name} value={model.name} disabled={!model.available}>
            {model.available ? model.name : `${model.name} (${model.why_not ?? 'not available'})`}
          </option>
        ))}
        <option value={OTHER}>Another model, by name</option>
      </select>
      {typed && (
        <input
          aria-label="Name of the model"
          className="field font-mono"
          placeholder="provider/name"
          value={value}
          onChange={(event) => onChange(event.target.value)}
        />
      )}
    </div>
  );
}
