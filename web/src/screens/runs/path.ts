/** Where a run's page is. One place decides whether its address carries the id or the number. */
import type { Run } from '../../api/types';

export function runPath(run: Pick<Run, 'id'>): { to: '/runs/$run'; params: { run: string } } {
  return { to: '/runs/$run', params: { run: run.id } };
}
