/** A change of state that people should see in the log. */
import type { RunState } from '../../../log/events';
import { clock } from '../../../ui/format';
import { Glyph, toneOf, wordOf } from '../../../ui/Glyph';
import { Words } from '../../../ui/Words';
import { Line } from './BlockView';

function told(state: RunState): string {
  switch (state.state) {
    case 'sleeping':
      return `Sleeping until ${clock(state.until_ms)}. ${state.reason.text}`;
    case 'succeeded':
      return 'Done.';
    case 'paused':
    case 'failed':
    case 'cancelled':
    case 'budget_exceeded':
      return worded(wordOf(state.state), state.reason.text);
    default:
      return 'It goes on.';
  }
}

/** The reason, after the state's word where it does not begin with it. */
function worded(word: string, reason: string): string {
  return reason.toLowerCase().startsWith(word.toLowerCase()) ? reason : `${word}. ${reason}`;
}

export function StateLine({ state }: { state: RunState }) {
  const icon = <Glyph tone={toneOf(state.state)} stopped={state.state === 'cancelled'} />;
  return (
    <Line icon={icon} tone="text-ink-2">
      <Words text={told(state)} />
    </Line>
  );
}
