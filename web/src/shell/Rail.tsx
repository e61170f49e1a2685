/** The left rail: where things are, and the two numbers: what needs you, and what works. */
import { useQuery } from '@tanstack/react-query';
import { Link, useRouterState } from '@tanstack/react-router';
import { Activity, Moon, Settings, Sun } from 'lucide-react';
import { modelsQuery, runsQuery } from '../api/queries';
import { Glyph } from '../ui/Glyph';
import { Wordmark } from '../ui/Mark';
import { ProjectSwitcher } from './ProjectSwitcher';
import { useTheme } from './theme';

/** How many runs need a person, and how many work. */
export function useCounts(): { needsYou: number; working: number } {
  const { data } = useQuery(runsQuery);
  const states = data?.items.map((run) => run.state) ?? [];
  return {
    needsYou: states.filter((state) => state === 'waiting').length,
    working: states.filter((state) => state === 'running' || state === 'starting').length,
  };
}

const ITEM = 'flex items-center gap-2.5 h-8 max-md:h-10 px-2.5 rounded-md text-sm';

export function RailContent({ onPick }: { onPick?: () => void }) {
  const path = useRouterState({ select: (state) => state.location.pathname });
  const { needsYou, working } = useCounts();
  const onRuns = path === '/' || path.startsWith('/runs');
  const look = (on: boolean) =>
    `${ITEM} ${on ? 'bg-selected text-ink font-[560]' : 'text-ink-2 hover:bg-hover'}`;
  return (
    <>
      <ProjectSwitcher {...(onPick ? { onPick } : {})} />
      <ul>
        <li>
          <Link
            to="/"
            {...(onPick ? { onClick: onPick } : {})}
            aria-current={onRuns ? 'page' : undefined}
            className={look(onRuns)}
          >
            <Activity size={15} strokeWidth={1.75} aria-hidden="true" />
            <span className="flex-1">Runs</span>
            {working > 0 && (
              <span className="num text-xs text-run-ink flex items-center gap-1">
                <Glyph tone="run" size={7} />
                {working}
                <span className="sr-only"> working</span>
              </span>
            )}
            {needsYou > 0 && (
              <span className="num text-xs font-[620] bg-you-tint text-you-ink rounded-sm px-1.5 leading-[18px] flex items-center gap-1">
                <Glyph tone="you" size={7} />
                {needsYou}
                <span className="sr-only">{needsYou === 1 ? ' needs you' : ' need you'}</span>
              </span>
            )}
          </Link>
        </li>
      </ul>
      <div className="mt-auto flex flex-col gap-2">
        <ModelCard {...(onPick ? { onPick } : {})} />
        <div className="flex items-center gap-1">
          <Link
            to="/settings"
            {...(onPick ? { onClick: onPick } : {})}
            aria-current={path === '/settings' ? 'page' : undefined}
            className={`flex-1 ${look(path === '/settings')}`}
          >
            <Settings size={15} strokeWidth={1.75} aria-hidden="true" />
            Settings
          </Link>
          <ThemeButton />
        </div>
      </div>
    </>
  );
}

function ModelCard({ onPick }: { onPick?: () => void }) {
  const { data } = useQuery(modelsQuery);
  if (!data) return null;
  const model = data.items.find((item) => item.name === data.default);
  const scripted = !data.default || model?.scripted || data.default.startsWith('scripted/');
  const pick = onPick ? { onClick: onPick } : {};
  if (!scripted)
    return (
      <div className="rounded-lg border border-line p-3 text-xs text-ink-2">
        <p>Model for new runs</p>
        <p className="mt-0.5 font-mono text-xs text-ink truncate" title={data.default ?? ''}>
          {data.default}
        </p>
        <Link to="/settings" {...pick} className="mt-1 inline-flex items-center min-h-6 link text-ink">
          Change
        </Link>
      </div>
    );
  return (
    <div className="rounded-lg border border-dashed border-line-strong/70 p-3 text-xs text-ink-2">
      <p className="font-[600] text-ink">Demo model</p>
      <p className="mt-0.5">Replies are scripted. Nothing leaves this machine.</p>
      <Link
        to="/welcome"
        search={{ pick: 'key' }}
        {...pick}
        className="mt-1 inline-flex items-center min-h-6 link text-ink"
      >
        Connect a model
      </Link>
    </div>
  );
}

function ThemeButton() {
  const shown = useTheme((state) => state.shown);
  const choose = useTheme((state) => state.choose);
  const other = shown === 'dark' ? 'light' : 'dark';
  return (
    <button
      type="button"
      onClick={() => choose(other)}
      aria-label={`Switch to ${other} theme`}
      className="size-8 max-md:size-10 grid place-items-center rounded-md text-ink-2 hover:bg-hover"
    >
      {shown === 'dark' ? <Sun size={15} /> : <Moon size={15} />}
    </button>
  );
}

export function Rail() {
  return (
    <nav
      aria-label="Main"
      className="hidden md:flex flex-col min-h-0 overflow-y-auto border-r border-line px-3 py-3 gap-3 bg-paper"
    >
      <Link to="/" className="px-2 h-8 flex items-center" aria-label="Journeyman, all runs">
        <Wordmark />
      </Link>
      <RailContent />
    </nav>
  );
}
