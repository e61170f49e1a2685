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

/** `ollama/qwen3-coder:30b`: how a model of a server on this machine is named. */
export function localName(server: string, model: string): string {
  return model.startsWith(`${server}/`) ? model : `${server}/${model}`;
}

/** Models that can work on people's own repositories now: built-in stories play only on their own sample. */
export function usableModels(models: Models): string[] {
  const listed = models.items.filter((model) => model.available && !model.scripted).map(({ name }) => name);
  const local = models.local.flatMap(({ server, models: names }) =>
    names.map((name) => localName(server, name)),
  );
  return [...new Set([...local, ...listed])];
}

export function ModelSelect({ id, models, value, onChange }: Props) {
  const known = usableModels(models);
  const lacking = models.items.filter((model) => !model.available && !model.scripted);
  const [typed, setTyped] = useState(value !== '' && !known.includes(value));
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
        {known.map((name) => (
          <option key={name} value={name}>
            {name}
          </option>
        ))}
        <option value={OTHER}>Another model, by name</option>
        {lacking.length > 0 && (
          <optgroup label="These need a key first">
            {lacking.map((model) => (
              <option key={model.name} disabled>
                {model.name}
              </option>
            ))}
          </optgroup>
        )}
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
