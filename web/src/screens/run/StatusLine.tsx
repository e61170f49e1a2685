/** Context, cost, sandbox, and whether the page is live. */
import { useConnection } from '../../api/socket';
import type { Run } from '../../api/types';
import type { RunLog } from '../../log/blocks';
import { clockSeconds, money, tokens } from '../../ui/format';
import type { Facts } from './facts';

export function StatusLine({ run, log, facts }: { run: Run; log: RunLog; facts: Facts }) {
  const percent =
    run.context_window > 0 ? Math.round((100 * facts.contextTokens) / run.context_window) : null;
  const sandbox = log.sandbox?.provider ?? run.sandbox?.provider;
  return (
    <div className="flex gap-x-4 pt-2 text-xs text-ink-3 num flex-wrap">
      <span>
        {tokens(facts.contextTokens)}
        {percent !== null && ` of ${tokens(run.context_window)} context, ${percent}%`}
      </span>
      <span>{money(facts.costMicros)}</span>
      {sandbox && <span className="max-md:hidden">sandbox {sandbox}</span>}
      <Liveness />
    </div>
  );
}

function Liveness() {
  const { phase, lastAtMs } = useConnection();
  if (phase === 'live')
    return (
      <span className="ml-auto flex items-center gap-1.5" data-live-state="live">
        <i className="size-1.5 rounded-full bg-ok" />
        Live
      </span>
    );
  const last = lastAtMs === null ? '' : `, last update ${clockSeconds(lastAtMs)}`;
  return (
    <span className="ml-auto flex items-center gap-1.5 text-ink-2" data-live-state={phase}>
      <i className="size-1.5 rounded-full border border-ink-3" />
      {phase === 'connecting' ? 'Connecting' : `Reconnecting${last}`}
    </span>
  );
}
