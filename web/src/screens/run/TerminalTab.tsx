/** What the commands print, as a terminal or as plain text. */
import { useState } from 'react';
import type { Command } from '../../log/blocks';
import { transcriptOf } from '../../log/commands';
import { Button } from '../../ui/Button';
import { CopyButton } from './CopyButton';
import { Xterm } from './Xterm';

export default function TerminalTab({ commands }: { commands: Command[] }) {
  const [plain, setPlain] = useState(false);
  if (commands.length === 0)
    return <p className="p-5 text-sm text-ink-2">No command has run yet. Their output appears here, live.</p>;
  return (
    <div className="h-full flex flex-col min-h-0 bg-term">
      <div className="flex-1 min-h-0">
        {plain ? (
          <section
            data-scroll-x
            // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region must be reachable by keys
            tabIndex={0}
            aria-label="Transcript of all commands"
            className="h-full overflow-auto whitespace-pre font-mono text-xs leading-[19px] p-4"
          >
            {transcriptOf(commands)}
          </section>
        ) : (
          <Xterm commands={commands} />
        )}
      </div>
      <div className="flex items-center gap-1 px-3 py-1.5 border-t border-line bg-paper">
        <Button aria-pressed={plain} onClick={() => setPlain(!plain)}>
          {plain ? 'Terminal' : 'Plain transcript'}
        </Button>
        <CopyButton text={transcriptOf(commands)}>Copy</CopyButton>
        <span className="ml-auto text-xs text-ink-3 max-md:hidden">Read only</span>
      </div>
    </div>
  );
}
