/** What the pages read from the server, by name. The `org` stream keeps the lists of runs fresh. */
import { QueryClient, queryOptions } from '@tanstack/react-query';
import type { Envelope } from '../log/events';
import { Problem, request } from './client';
import { socket } from './socket';
import type { Artifacts, Diff, Me, Models, Page, Probe, Project, Rule, Run, Status, Token } from './types';

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 10_000,
      refetchOnWindowFocus: true,
      retry: (count, error) => error instanceof Problem && error.status === 0 && count < 2,
    },
  },
});

const read =
  <T>(path: string) =>
  ({ signal }: { signal: AbortSignal }) =>
    request<T>('GET', path, { signal });

export const meQuery = queryOptions({ queryKey: ['me'], queryFn: read<Me>('/v1/me') });
export const statusQuery = queryOptions({ queryKey: ['status'], queryFn: read<Status>('/v1/status') });
export const modelsQuery = queryOptions({ queryKey: ['models'], queryFn: read<Models>('/v1/models') });
export const projectsQuery = queryOptions({
  queryKey: ['projects'],
  queryFn: read<Page<Project>>('/v1/projects'),
});
export const doctorQuery = queryOptions({
  queryKey: ['doctor'],
  queryFn: read<{ probes: Probe[] }>('/v1/doctor'),
});
export const tokensQuery = queryOptions({ queryKey: ['tokens'], queryFn: read<Page<Token>>('/v1/tokens') });

export const rulesQuery = (project: string) =>
  queryOptions({ queryKey: ['rules', project], queryFn: read<Page<Rule>>(`/v1/projects/${project}/rules`) });

export const runQuery = (run: string) =>
  queryOptions({ queryKey: ['run', run], queryFn: read<Run>(`/v1/runs/${encodeURIComponent(run)}`) });
export const diffQuery = (run: string) =>
  queryOptions({ queryKey: ['diff', run], queryFn: read<Diff>(`/v1/runs/${run}/diff`) });
export const artifactsQuery = (run: string) =>
  queryOptions({ queryKey: ['artifacts', run], queryFn: read<Artifacts>(`/v1/runs/${run}/artifacts`) });

/** The newest runs of all projects; pages and counts are cut from it. */
export const runsQuery = queryOptions({
  queryKey: ['runs'],
  queryFn: read<Page<Run>>('/v1/runs?limit=200'),
});

/** Puts a run's newer state into every place that shows it. */
export function rememberRun(run: Run): void {
  for (const key of [run.id, String(run.number)]) {
    const known = queryClient.getQueryData<Run>(['run', key]);
    if (known?.id === run.id || key === run.id) queryClient.setQueryData<Run>(['run', key], run);
  }
  queryClient.setQueryData<Page<Run>>(['runs'], (page) => {
    if (!page) return page;
    const others = page.items.filter((item) => item.id !== run.id);
    const items = [...others, run].sort((a, b) => b.created_at_ms - a.created_at_ms);
    return { ...page, items };
  });
}

/** Follows the organisation's changed runs; returns the way to stop. */
export function followRuns(): () => void {
  return socket.subscribe('org', {
    after: () => 0,
    event: (event: Envelope) => {
      if (event.kind === 'run.changed') rememberRun(event.data as Run);
    },
  });
}
