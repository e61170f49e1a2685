/** The Run page's frame: header, log with its docks below, and the workspace beside it. */
import { useEffect, useRef } from 'react';
import { queryClient, runQuery } from '../../api/queries';
import type { Run } from '../../api/types';
import { announce } from '../../ui/announce';
import { wordOf } from '../../ui/Glyph';
import { ErrorPanel, Loading } from '../../ui/states';
import { Composer } from './Composer';
import { Dock, useTab } from './Dock';
import { type Facts, factsOf } from './facts';
import { Header } from './Header';
import { Log } from './Log';
import { Meters } from './Meters';
import { QuestionDock } from './QuestionDock';
import { ResultCard } from './ResultCard';
import { StatusLine } from './StatusLine';
import { useRunKeys } from './useRunKeys';
import { useRunLog } from './useRunLog';
import { useWide } from './useWide';

export function RunView({ run }: { run: Run }) {
  const { snapshot, retry } = useRunLog(run.id);
  const { log } = snapshot;
  const facts = factsOf(run, log);
  const wide = useWide();
  const { tab } = useTab(wide);
  useAttention(run, facts);
  useFreshness(run, facts);
  useRunKeys(run, facts);
  const logShown = wide || tab === 'log';
  return (
    <div className="h-full flex flex-col min-h-0">
      <Header run={run} log={log} facts={facts} />
      <div className="flex-1 min-h-0 grid grid-cols-[minmax(0,1fr)] grid-rows-[auto_minmax(0,1fr)] lg:grid-rows-1 lg:grid-cols-[minmax(0,1fr)_minmax(400px,40%)]">
        {!wide && <Dock run={run} log={log} facts={facts} wide={false} />}
        {logShown && (
          <section aria-label="Log of the run" className="min-h-0 flex flex-col lg:border-r border-line">
            {snapshot.phase === 'error' ? (
              <div className="p-4 flex-1">
                <ErrorPanel error={snapshot.problem} title="The log could not be read." retry={retry} />
              </div>
            ) : snapshot.phase === 'loading' && log.blocks.length === 0 ? (
              <div className="p-6 flex-1">
                <Loading label="Loading the log" rows={6} />
              </div>
            ) : (
              <Log log={log} facts={facts}>
                {facts.ended && <ResultCard run={run} log={log} />}
              </Log>
            )}
            <div className="px-6 max-md:px-3 pb-2">
              <div className="max-w-[700px] mx-auto">
                <QuestionDock run={run} log={log} question={facts.question} />
                <Composer run={run} facts={facts} />
                <StatusLine run={run} log={log} facts={facts} />
              </div>
            </div>
          </section>
        )}
        {wide && (
          <aside aria-label="Workspace" className="min-h-0 flex flex-col">
            <Dock run={run} log={log} facts={facts} wide />
            <Meters run={run} facts={facts} />
          </aside>
        )}
      </div>
    </div>
  );
}

/** The title and the announcer say how the run stands. */
function useAttention(run: Run, facts: Facts): void {
  const word = wordOf(facts.state);
  const about = facts.question ? `: ${facts.question.text}` : '';
  const before = useRef<string | null>(null);
  useEffect(() => {
    const mark = facts.state === 'waiting' ? '(1) ' : '';
    document.title = `${mark}${word}: run ${run.number} · Journeyman`;
    const sentence = `Run ${run.number}: ${word.toLowerCase()}${about}`;
    if (before.current !== null && before.current !== sentence) announce(sentence);
    before.current = sentence;
  }, [word, facts.state, about, run.number]);
}

/** When the state changes, what the server says of the run and its changes is read again. */
function useFreshness(run: Run, facts: Facts): void {
  const { state } = facts;
  const first = useRef(true);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the state is what makes it stale
  useEffect(() => {
    if (first.current) {
      first.current = false;
      return;
    }
    void queryClient.invalidateQueries({ queryKey: runQuery(run.id).queryKey });
    void queryClient.invalidateQueries({ queryKey: ['run', String(run.number)] });
    void queryClient.invalidateQueries({ queryKey: ['diff', run.id] });
    void queryClient.invalidateQueries({ queryKey: ['artifacts', run.id] });
  }, [state, run.id, run.number]);
}
