/** Opens a run's log for as long as its page is shown. */
import { useEffect, useState, useSyncExternalStore } from 'react';
import { RunStore, type Snapshot } from '../../log/store';

export function useRunLog(run: string): { snapshot: Snapshot; retry: () => void } {
  const [store] = useState(() => new RunStore(run));
  useEffect(() => store.open(), [store]);
  const snapshot = useSyncExternalStore(store.subscribe, store.read);
  return { snapshot, retry: () => store.retry() };
}
