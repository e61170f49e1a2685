/** Pause, resume and stop. The page shows what the server answers, never what was hoped for. */
import { useMutation } from '@tanstack/react-query';
import { request } from '../../api/client';
import { rememberRun } from '../../api/queries';
import type { Run } from '../../api/types';

export type Control = 'pause' | 'resume' | 'stop';

export function useControl(run: string) {
  return useMutation({
    mutationKey: ['control', run],
    mutationFn: (control: Control) => request<Run>('POST', `/v1/runs/${run}/${control}`, { body: {} }),
    onSuccess: rememberRun,
  });
}
