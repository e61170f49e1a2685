/** How much of what it may use the run has used. */
import type { Run } from '../../api/types';
import { money, tokens } from '../../ui/format';
import type { Facts } from './facts';

export function Meters({ run, facts }: { run: Run; facts: Facts }) {
  const { limits } = run;
  const cost = money(facts.costMicros);
  return (
    <div className="border-t border-line px-5 py-4 grid grid-cols-3 gap-5 bg-paper">
      <Meter
        label="Cost"
        used={facts.costMicros}
        of={limits.max_cost}
        text={limits.max_cost === null ? cost : `${cost} of ${money(limits.max_cost)}`}
      />
      <Meter
        label="Turns"
        used={facts.turns}
        of={limits.max_turns}
        text={`${facts.turns} of ${limits.max_turns}`}
      />
      <Meter
        label="Context"
        used={facts.contextTokens}
        of={run.context_window || null}
        text={
          run.context_window > 0
            ? `${Math.round((100 * facts.contextTokens) / run.context_window)}%`
            : tokens(facts.contextTokens)
        }
      />
    </div>
  );
}

interface MeterProps {
  label: string;
  used: number | null;
  of: number | null;
  text: string;
}

function Meter({ label, used, of, text }: MeterProps) {
  const percent = used === null || !of ? null : Math.min(100, Math.round((100 * used) / of));
  return (
    <div className="min-w-0">
      <div className="flex justify-between gap-2 text-xs">
        <span className="text-ink-2">{label}</span>
        <span className="num truncate">{text}</span>
      </div>
      {percent !== null && (
        // biome-ignore lint/a11y/useSemanticElements: a native meter takes its colours from the browser
        <div
          role="meter"
          aria-label={label}
          aria-valuenow={percent}
          aria-valuemin={0}
          aria-valuemax={100}
          aria-valuetext={text}
          className="mt-1.5 h-[5px] rounded-sm bg-sunken overflow-hidden"
        >
          <div className="h-full rounded-sm bg-ink-3" style={{ width: `${percent}%` }} />
        </div>
      )}
    </div>
  );
}
