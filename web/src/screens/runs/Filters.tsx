/** Filters by the words of the status vocabulary; the choice lives in the address. */
import { Link } from '@tanstack/react-router';
import { STATE_FILTERS, type StateFilter } from '../../addresses';
import type { Run } from '../../api/types';
import { Glyph, toneOf } from '../../ui/Glyph';

export const FILTERS: Record<StateFilter, { label: string; none: string }> = {
  all: { label: 'All', none: 'No run yet.' },
  you: { label: 'Needs you', none: 'Nothing needs you.' },
  run: { label: 'Working', none: 'Nothing works at the moment.' },
  sleep: { label: 'Sleeping', none: 'No run sleeps.' },
  idle: { label: 'Queued or stopped', none: 'No run is queued or stopped.' },
  ok: { label: 'Done', none: 'No run is done yet.' },
  bad: { label: 'Failed', none: 'No run failed.' },
};

export function Filters({ runs, chosen }: { runs: Run[]; chosen: StateFilter }) {
  const number = (filter: StateFilter) =>
    filter === 'all' ? runs.length : runs.filter((run) => toneOf(run.state) === filter).length;
  return (
    <nav aria-label="Filter by state" className="mt-4 flex flex-wrap gap-1 -ml-2">
      {STATE_FILTERS.filter((filter) => filter === 'all' || filter === chosen || number(filter) > 0).map(
        (filter) => (
          <Link
            key={filter}
            to="/"
            search={({ state: _, ...rest }) => (filter === 'all' ? rest : { ...rest, state: filter })}
            aria-current={filter === chosen ? 'true' : undefined}
            className={`flex items-center gap-1.5 h-7 max-md:h-10 px-2 rounded-md text-sm ${filter === chosen ? 'bg-selected font-[560]' : 'text-ink-2 hover:bg-hover'}`}
          >
            {filter !== 'all' && <Glyph tone={filter} size={8} />}
            {FILTERS[filter].label}
            <span className="num text-xs text-ink-2">{number(filter)}</span>
          </Link>
        ),
      )}
    </nav>
  );
}
