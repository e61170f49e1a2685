/** Our own run of the project's check command. */
import { ChevronRight, CircleCheck, CircleX } from 'lucide-react';
import type { Block } from '../../../log/blocks';
import { withoutEscapes } from '../../../log/commands';
import { duration } from '../../../ui/format';

export function CheckView({ check }: { check: Extract<Block, { kind: 'check' }> }) {
  const passed = check.exitCode === 0;
  const outcome = passed
    ? 'passed'
    : check.exitCode === null
      ? 'ran out of time'
      : `failed with exit code ${check.exitCode}`;
  const Icon = passed ? CircleCheck : CircleX;
  return (
    <details className={`group my-3 rounded-md border ${passed ? 'border-ok/40' : 'border-bad/50'}`}>
      <summary className="list-none flex items-center gap-2.5 px-3 min-h-9 max-md:min-h-11 text-sm">
        <Icon
          size={15}
          aria-hidden="true"
          className={`shrink-0 ${passed ? 'text-ok-ink' : 'text-bad-ink'}`}
        />
        <span className="text-ink-2 shrink-0">Check</span>
        <code className="font-mono text-xs truncate min-w-0 flex-1">{check.command}</code>
        <span className={`text-xs num whitespace-nowrap ${passed ? 'text-ok-ink' : 'text-bad-ink'}`}>
          {outcome} · {duration(check.durationMs)}
        </span>
        <ChevronRight size={13} aria-hidden="true" className="text-ink-3 shrink-0 group-open:rotate-90" />
      </summary>
      <pre
        data-scroll-x
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region must be reachable by keys
        tabIndex={0}
        className="font-mono text-xs leading-[19px] px-3 pb-2 max-h-[320px] overflow-auto"
      >
        {withoutEscapes(check.output) || 'It printed nothing.'}
      </pre>
    </details>
  );
}
