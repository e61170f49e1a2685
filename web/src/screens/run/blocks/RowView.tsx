/** One row of the log. A turn's first row carries the heading that readers jump by. */
import { memo } from 'react';
import type { Row } from '../../../log/rows';
import { BlockView } from './BlockView';
import { LiveView } from './LiveView';
import { Steps } from './Steps';

interface Props {
  row: Row;
}

/** Rows are made anew for each frame; what they show is compared instead. */
function same(before: Props, after: Props): boolean {
  const [a, b] = [before.row, after.row];
  if (a.key !== b.key || a.turnStart !== b.turnStart) return false;
  if (a.kind === 'block' && b.kind === 'block') return a.block === b.block;
  if (a.kind === 'steps' && b.kind === 'steps')
    return a.steps.length === b.steps.length && a.steps.every((step, index) => step === b.steps[index]);
  return a.kind === 'live' && b.kind === 'live' && a.live === b.live;
}

export const RowView = memo(function RowView({ row }: Props) {
  return (
    <div className="flow-root">
      {row.turnStart !== null && (
        <h2 data-turn={row.turnStart} tabIndex={-1} className="sr-only">
          Turn {row.turnStart}
        </h2>
      )}
      {row.kind === 'steps' && <Steps steps={row.steps} />}
      {row.kind === 'block' && <BlockView block={row.block} />}
      {row.kind === 'live' && <LiveView live={row.live} />}
    </div>
  );
}, same);
