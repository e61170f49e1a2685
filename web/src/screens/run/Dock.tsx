/** The workspace's views as tabs; the open one stands in the address. */
import { Tabs } from '@base-ui/react/tabs';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { lazy, Suspense } from 'react';
import type { Tab } from '../../addresses';
import type { Run } from '../../api/types';
import type { RunLog } from '../../log/blocks';
import { Loading } from '../../ui/states';
import type { Facts } from './facts';

const TerminalTab = lazy(() => import('./TerminalTab'));
const ChangesTab = lazy(() => import('./changes/ChangesTab'));
const FilesTab = lazy(() => import('./FilesTab'));

const route = getRouteApi('/shell/runs/$run');

/** The open tab: beside the log it is never the log itself, and below 1024 px it is the log at first. */
export function useTab(wide: boolean): { tab: Tab; open(tab: Tab): void } {
  const { tab: wanted } = route.useSearch();
  const navigate = useNavigate();
  const tab = wide ? (wanted === undefined || wanted === 'log' ? 'terminal' : wanted) : (wanted ?? 'log');
  return { tab, open: (next) => void navigate({ to: '.', search: { tab: next }, replace: true }) };
}

const TAB =
  'flex items-center gap-1.5 h-10 px-3 text-sm text-ink-2 hover:text-ink data-[active]:text-ink data-[active]:font-[580] data-[active]:shadow-[inset_0_-2px_0_var(--ink)] whitespace-nowrap';

interface Props {
  run: Run;
  log: RunLog;
  facts: Facts;
  wide: boolean;
}

export function Dock({ run, log, facts, wide }: Props) {
  const { tab, open } = useTab(wide);
  const files = log.files.length > 0 ? log.files.length : run.files.length;
  const panel = 'flex-1 min-h-0';
  return (
    <Tabs.Root
      value={tab}
      onValueChange={(value) => open(value as Tab)}
      className={`min-h-0 flex flex-col ${wide ? 'flex-1' : tab === 'log' ? '' : 'row-span-2'}`}
    >
      <Tabs.List
        data-scroll-x=""
        aria-label="Views of the run"
        className="flex px-3 max-md:px-1 hair shrink-0 overflow-x-auto"
      >
        {!wide && (
          <Tabs.Tab value="log" className={TAB}>
            Log
          </Tabs.Tab>
        )}
        <Tabs.Tab value="terminal" className={TAB}>
          Terminal
        </Tabs.Tab>
        <Tabs.Tab value="changes" className={TAB}>
          Changes {files > 0 && <span className="num text-xs text-ink-2 font-normal">{files}</span>}
        </Tabs.Tab>
        <Tabs.Tab value="files" className={TAB}>
          Files
        </Tabs.Tab>
      </Tabs.List>
      <Tabs.Panel value="terminal" className={panel}>
        <Suspense fallback={<div className="h-full bg-term" />}>
          <TerminalTab commands={log.commands} />
        </Suspense>
      </Tabs.Panel>
      <Tabs.Panel value="changes" className={`${panel} overflow-y-auto`}>
        <Suspense fallback={<Waiting />}>
          <ChangesTab run={run} log={log} facts={facts} />
        </Suspense>
      </Tabs.Panel>
      <Tabs.Panel value="files" className={`${panel} overflow-y-auto`}>
        <Suspense fallback={<Waiting />}>
          <FilesTab run={run} log={log} />
        </Suspense>
      </Tabs.Panel>
    </Tabs.Root>
  );
}

function Waiting() {
  return (
    <div className="p-4">
      <Loading label="Loading" />
    </div>
  );
}
