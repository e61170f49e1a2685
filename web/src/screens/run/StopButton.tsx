/** Stopping is for good, so it is asked once more. */
import { AlertDialog } from '@base-ui/react/alert-dialog';
import type { ReactNode } from 'react';
import { buttonClass } from '../../ui/Button';

interface Props {
  disabled: boolean;
  stop(): void;
  children: ReactNode;
}

export function StopButton({ disabled, stop, children }: Props) {
  return (
    <AlertDialog.Root>
      <AlertDialog.Trigger disabled={disabled} className={buttonClass('ghost')}>
        {children}
      </AlertDialog.Trigger>
      <AlertDialog.Portal>
        <AlertDialog.Backdrop className="backdrop" />
        <AlertDialog.Popup
          data-modal
          className="fixed z-40 left-1/2 top-[20dvh] -translate-x-1/2 w-[min(420px,94vw)] bg-raised rounded-lg shadow-pop p-5"
        >
          <AlertDialog.Title className="font-serif text-lg">Stop this run for good?</AlertDialog.Title>
          <AlertDialog.Description className="text-sm text-ink-2 mt-1">
            The sandbox ends. The log and what was changed so far stay. To halt it for a while, pause it
            instead.
          </AlertDialog.Description>
          <div className="flex gap-2 mt-4">
            <AlertDialog.Close className={buttonClass('solid')} onClick={stop}>
              Stop the run
            </AlertDialog.Close>
            <AlertDialog.Close className={buttonClass('line')}>Keep it going</AlertDialog.Close>
          </div>
        </AlertDialog.Popup>
      </AlertDialog.Portal>
    </AlertDialog.Root>
  );
}
