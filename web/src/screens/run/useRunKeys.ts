/** The Run page's keys. */
import { useNavigate } from '@tanstack/react-router';
import type { Tab } from '../../addresses';
import type { Run } from '../../api/types';
import { useCommands } from '../../shell/keys';
import type { Facts } from './facts';
import { useControl } from './useControl';

export function useRunKeys(run: Run, facts: Facts): void {
  const navigate = useNavigate();
  const control = useControl(run.id);
  const open = (tab: Tab) => void navigate({ to: '.', search: { tab }, replace: true });
  useCommands([
    { id: 'tab-terminal', keys: 't', scope: 'Run', label: 'Terminal', run: () => open('terminal') },
    { id: 'tab-changes', keys: 'd', scope: 'Run', label: 'Changes (diff)', run: () => open('changes') },
    { id: 'tab-files', keys: 'f', scope: 'Run', label: 'Files', run: () => open('files') },
    {
      id: 'pause',
      keys: '.',
      scope: 'Run',
      label: 'Pause or resume',
      run: () => {
        if (!facts.ended) control.mutate(facts.state === 'paused' ? 'resume' : 'pause');
      },
    },
    { id: 'steer', keys: 's', scope: 'Run', label: 'Write to the run', run: () => focus('#message') },
    { id: 'question', keys: 'q', scope: 'Run', label: 'Go to the question', run: () => focus('#question') },
    { id: 'next-turn', keys: ']', scope: 'Run', label: 'Next turn', run: () => walkTurns(1) },
    { id: 'previous-turn', keys: '[', scope: 'Run', label: 'Previous turn', run: () => walkTurns(-1) },
  ]);
}

function focus(selector: string): void {
  document.querySelector<HTMLElement>(selector)?.focus();
}

/** Asks the log to show the turn before or after the one at its top. */
function walkTurns(step: number): void {
  document.querySelector('[role=log]')?.dispatchEvent(new CustomEvent('walk-turns', { detail: step }));
}
