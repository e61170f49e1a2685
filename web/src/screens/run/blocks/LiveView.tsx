/** The answer that is being written. */
import { Brain } from 'lucide-react';
import type { LiveTurn } from '../../../log/blocks';
import { Markdown } from '../../../ui/Markdown';

const LAST_THOUGHT = 280;

export function LiveView({ live }: { live: LiveTurn }) {
  return (
    <div className="my-3" data-live>
      {live.thinking !== '' && live.text === '' && (
        <p className="flex items-start gap-2 text-sm text-ink-3">
          <Brain size={14} aria-hidden="true" className="mt-[3px] shrink-0" />
          <span className="wrap-anywhere">
            <span className="sr-only">Thinking: </span>
            {live.thinking.slice(-LAST_THOUGHT)}
          </span>
        </p>
      )}
      {live.text !== '' && <Markdown text={live.text} streaming />}
    </div>
  );
}
