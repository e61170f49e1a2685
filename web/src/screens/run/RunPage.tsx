/** One run: follow it, steer it, take what it made. */
import { useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { runQuery } from '../../api/queries';
import { ErrorPanel, Loading } from '../../ui/states';
import { RunView } from './RunView';

const route = getRouteApi('/shell/runs/$run');

export function RunPage() {
  const { run: key } = route.useParams();
  const run = useQuery(runQuery(key));
  if (run.data) return <RunView key={run.data.id} run={run.data} />;
  return (
    <div className="p-6 max-md:p-4">
      <h1 className="font-serif text-xl mb-3">Run</h1>
      {run.error ? (
        <ErrorPanel error={run.error} title="The run could not be read." retry={() => void run.refetch()} />
      ) : (
        <Loading label="Loading the run" rows={6} />
      )}
    </div>
  );
}
