/** Under 768 px: the rail folds into a bar with a drawer and the number that needs you. */
import { Dialog } from '@base-ui/react/dialog';
import { Link } from '@tanstack/react-router';
import { Menu, X } from 'lucide-react';
import { useState } from 'react';
import { Glyph } from '../ui/Glyph';
import { Wordmark } from '../ui/Mark';
import { RailContent, useCounts } from './Rail';

export function TopBar() {
  const [open, setOpen] = useState(false);
  const { needsYou } = useCounts();
  return (
    <header className="md:hidden flex items-center h-12 px-3 gap-2 hair bg-paper">
      <Dialog.Root open={open} onOpenChange={setOpen}>
        <Dialog.Trigger
          aria-label="Open navigation"
          className="size-10 grid place-items-center -ml-2 rounded-md"
        >
          <Menu size={18} />
        </Dialog.Trigger>
        <Dialog.Portal>
          <Dialog.Backdrop className="backdrop" />
          <Dialog.Popup
            data-modal
            className="fixed inset-y-0 left-0 w-72 max-w-[86vw] bg-paper z-40 p-3 shadow-pop flex flex-col gap-3 overflow-y-auto"
          >
            <div className="flex items-center justify-between pl-2">
              <Dialog.Title>
                <Wordmark />
              </Dialog.Title>
              <Dialog.Close
                aria-label="Close navigation"
                className="size-10 grid place-items-center rounded-md"
              >
                <X size={17} />
              </Dialog.Close>
            </div>
            <RailContent onPick={() => setOpen(false)} />
          </Dialog.Popup>
        </Dialog.Portal>
      </Dialog.Root>
      <Link to="/" aria-label="Journeyman, all runs" className="flex-1 h-10 flex items-center">
        <Wordmark />
      </Link>
      {needsYou > 0 && (
        <Link
          to="/"
          search={{ state: 'you' }}
          aria-label={needsYou === 1 ? '1 run needs you' : `${needsYou} runs need you`}
          className="num text-sm font-[620] bg-you-tint text-you-ink rounded-md px-2.5 h-8 flex items-center gap-1.5"
        >
          <Glyph tone="you" size={9} />
          {needsYou}
        </Link>
      )}
    </header>
  );
}
