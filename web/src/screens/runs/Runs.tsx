/** All runs, newest first: which one needs me, what works, what came of the rest. */
import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router';
import { Plus } from 'lucide-react';
import { useEffect } from 'react';
import { runsQuery } from '../../api/queries';
import type { Run } from '../../api/types';
import { useCommands } from '../../shell/keys';
import { Button, buttonClass } from '../../ui/Button';
import { toneOf } from '../../ui/Glyph';
import { Empty, ErrorPanel, Loading } from '../../ui/states';
import { FILTERS, Filters } from './Filters';
import { NewRunForm } from './NewRunForm';
import { RunRow } from './RunRow';

const route = getRouteApi('/shell/');

export function Runs() {
  const { state = 'all', project, new: writing } = route.useSearch();
  const navigate = useNavigate();
  const runs = useQuery(runsQuery);
  const all = (runs.data?.items ?? []).filter((run) => !project || run.project.slug === project);
  const shown = all.filter((run) => state === 'all' || toneOf(run.state) === state);
  const openForm = (open: boolean) =>
    navigate({ to: '/', search: ({ new: _, ...rest }) => (open ? { ...rest, new: true } : rest) });
  useTitle(all);
  useRowKeys();
  return (
    <div className="h-full overflow-y-auto">
      <div className="max-w-[1060px] mx-auto px-6 max-md:px-4 py-6">
        <div className="flex items-center gap-3">
          <h1 className="font-serif text-2xl max-md:text-xl tracking-[-.015em] flex-1">Runs</h1>
          {!writing && (
            <Button kind="solid" onClick={() => void openForm(true)}>
              <Plus size={14} aria-hidden="true" />
              New run
            </Button>
          )}
        </div>
        {writing && (
          <section aria-label="New run" className="mt-4">
            <NewRunForm cancel={() => void openForm(false)} {...(project ? { project } : {})} />
          </section>
        )}
        {all.length > 0 && <Filters runs={all} chosen={state} />}
        <section aria-label="List of runs" className="mt-2">
          {runs.isPending && <Loading label="Loading the runs" rows={5} height={60} />}
          {runs.error && (
            <div className="mt-4">
              <ErrorPanel
                error={runs.error}
                title="The runs could not be read."
                retry={() => void runs.refetch()}
              />
            </div>
          )}
          {runs.data && all.length === 0 && !writing && <NoRuns />}
          {all.length > 0 && shown.length === 0 && (
            <Empty title={FILTERS[state].none}>
              <Link to="/" search={project ? { project } : {}} className="link">
                Show all runs
              </Link>
            </Empty>
          )}
          <ul>
            {shown.map((run) => (
              <RunRow key={run.id} run={run} showProject={!project} />
            ))}
          </ul>
        </section>
      </div>
    </div>
  );
}

function NoRuns() {
  return (
    <Empty title="No run yet.">
      <p>Watch the demo, or state a goal for a repository of yours.</p>
      <p className="mt-3">
        <Link to="/welcome" className={buttonClass('line')}>
          Choose who does the thinking
        </Link>
      </p>
    </Empty>
  );
}

function useTitle(runs: Run[]): void {
  const needsYou = runs.filter((run) => run.state === 'waiting').length;
  useEffect(() => {
    document.title = needsYou > 0 ? `(${needsYou}) Runs · Journeyman` : 'Runs · Journeyman';
  }, [needsYou]);
}

/** J and K walk the rows; Enter is the link's own. */
function useRowKeys(): void {
  const walk = (step: number) => {
    const rows = [...document.querySelectorAll<HTMLAnchorElement>('a[data-run]')];
    const at = rows.indexOf(document.activeElement as HTMLAnchorElement);
    const next = at === -1 ? (step > 0 ? 0 : rows.length - 1) : at + step;
    rows[Math.max(0, Math.min(rows.length - 1, next))]?.focus();
  };
  useCommands([
    { id: 'next-row', keys: 'j', scope: 'Runs', label: 'Next run', run: () => walk(1) },
    { id: 'previous-row', keys: 'k', scope: 'Runs', label: 'Previous run', run: () => walk(-1) },
  ]);
}
