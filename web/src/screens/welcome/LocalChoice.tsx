/** Servers found on this machine, and the models that they offer. */
import { RefreshCw } from 'lucide-react';
import { useState } from 'react';
import type { LocalServer } from '../../api/types';
import { Button } from '../../ui/Button';
import { Field } from '../../ui/Field';
import { Glyph } from '../../ui/Glyph';
import { localName } from '../runs/ModelSelect';
import { TestAndUse } from './TestAndUse';

interface Props {
  servers: LocalServer[];
  refresh(): void;
  connected(model: string): void;
}

export function LocalChoice({ servers, refresh, connected }: Props) {
  const [chosen, setChosen] = useState('');
  const first = servers.find((server) => server.models.length > 0);
  const model = chosen || (first ? localName(first.server, first.models[0] ?? '') : '');
  return (
    <div className="flex flex-col gap-3">
      <ul className="flex flex-col gap-1">
        {servers.map((server) => (
          <li key={server.url} className="flex items-center gap-2 text-sm text-ink-2 min-w-0">
            <Glyph tone={server.models.length > 0 ? 'ok' : 'idle'} />
            <span>{server.server}</span>
            <code className="font-mono text-xs truncate">{server.url}</code>
            <span className="text-ink-3 num">{server.models.length} models</span>
          </li>
        ))}
      </ul>
      {model !== '' && (
        <Field label="Model" htmlFor="local-model">
          <select
            id="local-model"
            className="field"
            value={model}
            onChange={(event) => setChosen(event.target.value)}
          >
            {servers.map((server) => (
              <optgroup key={server.url} label={server.server}>
                {server.models.map((name) => (
                  <option key={name} value={localName(server.server, name)}>
                    {name}
                  </option>
                ))}
              </optgroup>
            ))}
          </select>
        </Field>
      )}
      <div className="flex flex-wrap items-start gap-2">
        {model !== '' && <TestAndUse model={model} connected={connected} />}
        <Button onClick={refresh}>
          <RefreshCw size={13} aria-hidden="true" />
          Look again
        </Button>
      </div>
    </div>
  );
}
