/** When the connection broke because the login ended, waiting does not help: say so. */
import { useQuery } from '@tanstack/react-query';
import { asProblem } from '../api/client';
import { meQuery } from '../api/queries';
import { useConnection } from '../api/socket';
import { ErrorPanel } from '../ui/states';

const LOOK_AGAIN_MS = 5_000;

export function SignedOut() {
  const broken = useConnection((state) => state.phase === 'broken' && state.lastAtMs !== null);
  const me = useQuery({ ...meQuery, enabled: broken, staleTime: 0, refetchInterval: LOOK_AGAIN_MS });
  if (!broken || !me.error || asProblem(me.error).status !== 401) return null;
  return (
    <div className="fixed z-20 inset-x-0 top-2 px-3 flex justify-center">
      <div className="bg-raised rounded-lg shadow-pop">
        <ErrorPanel compact error={me.error} title="" />
      </div>
    </div>
  );
}
