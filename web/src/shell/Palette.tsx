/** Go to a run, a page or an action by typing a few letters of it. */
import { Dialog } from '@base-ui/react/dialog';
import { useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { type KeyboardEvent, useState } from 'react';
import { runsQuery } from '../api/queries';
import { runPath } from '../screens/runs/path';
import { Kbd } from '../ui/Button';
import { Glyph, toneOf } from '../ui/Glyph';
import { keyLabel, useKeys } from './keys';

interface Entry {
  id: string;
  label: string;
  hint: React.ReactNode;
  run(): void;
}

const MOST = 12;

export function Palette({ open, setOpen }: { open: boolean; setOpen: (open: boolean) => void }) {
  return (
    <Dialog.Root open={open} onOpenChange={setOpen}>
      <Dialog.Portal>
        <Dialog.Backdrop className="backdrop" />
        <Dialog.Popup
          data-modal
          className="fixed z-40 left-1/2 top-[12dvh] -translate-x-1/2 w-[min(560px,94vw)] bg-raised rounded-lg shadow-pop overflow-hidden"
        >
          <Dialog.Title className="sr-only">Go to</Dialog.Title>
          <Search close={() => setOpen(false)} />
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

function useEntries(text: string): Entry[] {
  const commands = useKeys((state) => state.commands);
  const { data } = useQuery(runsQuery);
  const navigate = useNavigate();
  const actions = commands
    .filter((command) => !command.local && command.id !== 'palette')
    .map((command) => ({
      id: command.id,
      label: command.label,
      hint: <Kbd>{keyLabel(command.keys)}</Kbd>,
      run: () => command.run(),
    }));
  const runs = (data?.items ?? []).map((run) => ({
    id: run.id,
    label: `${run.goal}`,
    hint: (
      <span className="flex items-center gap-1.5 text-xs text-ink-3 num">
        <Glyph tone={toneOf(run.state)} size={8} /> run {run.number}
      </span>
    ),
    run: () => void navigate(runPath(run)),
  }));
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return [...actions, ...runs]
    .filter((entry) => words.every((word) => entry.label.toLowerCase().includes(word)))
    .slice(0, MOST);
}

function Search({ close }: { close: () => void }) {
  const [text, setText] = useState('');
  const [at, setAt] = useState(0);
  const entries = useEntries(text);
  const chosen = Math.min(at, entries.length - 1);
  const pick = (entry: Entry | undefined) => {
    if (!entry) return;
    close();
    setTimeout(entry.run, 0);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      event.preventDefault();
      setAt((chosen + step + entries.length) % Math.max(1, entries.length));
    } else if (event.key === 'Enter') {
      event.preventDefault();
      pick(entries[chosen]);
    }
  };
  return (
    <>
      <input
        role="combobox"
        aria-label="Go to a run or an action"
        aria-expanded="true"
        aria-controls="palette-list"
        aria-activedescendant={entries[chosen] ? `palette-${entries[chosen].id}` : undefined}
        value={text}
        onChange={(event) => {
          setText(event.target.value);
          setAt(0);
        }}
        onKeyDown={onKeyDown}
        placeholder="Go to a run or an action"
        className="w-full h-12 px-4 text-base bg-transparent outline-none hair placeholder:text-ink-3"
      />
      <div id="palette-list" role="listbox" aria-label="Results" className="p-1.5 max-h-80 overflow-y-auto">
        {entries.map((entry, index) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the combobox has the keys
          <div
            key={entry.id}
            id={`palette-${entry.id}`}
            role="option"
            tabIndex={-1}
            aria-selected={index === chosen}
            onClick={() => pick(entry)}
            className={`flex items-center gap-3 min-h-9 px-2.5 rounded-md text-sm cursor-pointer ${index === chosen ? 'bg-selected' : 'hover:bg-hover'}`}
          >
            <span className="flex-1 truncate">{entry.label}</span>
            {entry.hint}
          </div>
        ))}
      </div>
      {entries.length === 0 && <p className="px-4 pb-4 text-sm text-ink-2">Nothing by that name.</p>}
    </>
  );
}
