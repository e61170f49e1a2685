/** Exchanges the single-use ticket in the address for a cookie, and takes it out of the address. */
import { useEffect, useState } from 'react';
import { asProblem, Problem, request } from '../../api/client';
import { queryClient } from '../../api/queries';

export type SignIn = { phase: 'working' } | { phase: 'in' } | { phase: 'refused'; problem: Problem };

/** A ticket works once, and effects may run twice: one exchange a page load. */
let exchange: Promise<SignIn> | null = null;

function ticketOf(hash: string): string | null {
  return new URLSearchParams(hash.replace(/^#/, '')).get('t');
}

async function signIn(): Promise<SignIn> {
  const ticket = ticketOf(location.hash);
  try {
    if (ticket !== null) {
      history.replaceState(history.state, '', location.pathname + location.search);
      await request('POST', '/v1/login', { body: { ticket } });
      queryClient.clear();
    }
    await request('GET', '/v1/me');
    return { phase: 'in' };
  } catch (error) {
    return refusal(asProblem(error), ticket !== null);
  }
}

/** A used ticket does no harm where the browser already has its cookie. */
async function refusal(problem: Problem, hadTicket: boolean): Promise<SignIn> {
  if (hadTicket && problem.status >= 400 && problem.status < 500) {
    const signedIn = await request('GET', '/v1/me').then(
      () => true,
      () => false,
    );
    if (signedIn) return { phase: 'in' };
    const fix = 'Start journeyman up again and open the link that it prints.';
    const detail = 'This link was used before, or it is too old.';
    return {
      phase: 'refused',
      problem: new Problem({ status: 400, code: problem.code, detail, fix: problem.fix ?? fix }),
    };
  }
  return { phase: 'refused', problem };
}

export function useTicket(): SignIn {
  const [state, setState] = useState<SignIn>({ phase: 'working' });
  useEffect(() => {
    let shown = true;
    exchange ??= signIn();
    void exchange.then((outcome) => shown && setState(outcome));
    return () => {
      shown = false;
    };
  }, []);
  return state;
}
