/** The sheet of keys that `?` opens; it shows what the registry holds on this page. */
import { Dialog } from '@base-ui/react/dialog';
import { X } from 'lucide-react';
import { Kbd } from '../ui/Button';
import { keyLabel, useKeys } from './keys';

const SCOPES = ['Everywhere', 'Runs', 'Run', 'Question'] as const;

export function KeySheet({ open, setOpen }: { open: boolean; setOpen: (open: boolean) => void }) {
  const commands = useKeys((state) => state.commands);
  const letters = useKeys((state) => state.letters);
  return (
    <Dialog.Root open={open} onOpenChange={setOpen}>
      <Dialog.Portal>
        <Dialog.Backdrop className="backdrop" />
        <Dialog.Popup
          data-modal
          className="fixed z-40 left-1/2 top-[10dvh] -translate-x-1/2 w-[min(480px,94vw)] max-h-[80dvh] overflow-y-auto bg-raised rounded-lg shadow-pop p-5"
        >
          <div className="flex items-center justify-between">
            <Dialog.Title className="font-serif text-lg">Keys</Dialog.Title>
            <Dialog.Close
              aria-label="Close"
              className="size-8 grid place-items-center rounded-md hover:bg-hover"
            >
              <X size={16} />
            </Dialog.Close>
          </div>
          {!letters && (
            <p className="text-sm text-ink-2 mt-1">Single letters are switched off in Settings.</p>
          )}
          {SCOPES.map((scope) => {
            const entries = commands.filter((command) => command.scope === scope);
            if (entries.length === 0) return null;
            return (
              <section key={scope} className="mt-3">
                <h3 className="text-xs text-ink-3">{scope}</h3>
                <dl className="mt-1">
                  {entries.map((command) => (
                    <div key={command.id} className="flex items-center justify-between min-h-8 hair text-sm">
                      <dt>{command.label}</dt>
                      <dd className="text-ink-2">
                        <Kbd>{keyLabel(command.keys)}</Kbd>
                      </dd>
                    </div>
                  ))}
                </dl>
              </section>
            );
          })}
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
