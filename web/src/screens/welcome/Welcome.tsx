/** The first page: who should do the thinking? */
import { getRouteApi, Link } from '@tanstack/react-router';
import { useEffect, useState } from 'react';
import type { Choice } from '../../addresses';
import { Wordmark } from '../../ui/Mark';
import { ErrorPanel, Loading } from '../../ui/states';
import { NewRunForm } from '../runs/NewRunForm';
import { Choices } from './Choices';
import { Story } from './Story';
import { useTicket } from './useTicket';

const route = getRouteApi('/welcome');

export function Welcome() {
  const signIn = useTicket();
  const { pick } = route.useSearch();
  const [model, setModel] = useState<string | null>(null);
  useEffect(() => {
    document.title = 'Welcome · Journeyman';
  }, []);
  return (
    <div className="h-dvh overflow-y-auto bg-paper">
      <main className="max-w-[1060px] mx-auto px-8 max-md:px-4 py-14 max-md:py-6 grid grid-cols-[minmax(0,1fr)] lg:grid-cols-[minmax(0,1fr)_380px] gap-14">
        <div>
          <Link to="/" aria-label="Journeyman, all runs" className="inline-flex">
            <Wordmark large />
          </Link>
          {model === null ? (
            <WhoThinks signIn={signIn} pick={pick ?? 'demo'} connected={setModel} />
          ) : (
            <FirstRun model={model} />
          )}
        </div>
        {model === null && <Story />}
      </main>
    </div>
  );
}

const HEADING =
  'font-serif text-3xl max-md:text-2xl max-md:leading-[34px] tracking-[-.024em] font-[430] mt-9 max-md:mt-6 text-balance';

interface Props {
  signIn: ReturnType<typeof useTicket>;
  pick: Choice;
  connected(model: string): void;
}

function WhoThinks({ signIn, pick, connected }: Props) {
  return (
    <>
      <h1 className={HEADING}>Who should do the thinking?</h1>
      <p className="text-base text-ink-2 mt-2 max-w-[52ch] text-pretty">
        You can change this at any time. Everything runs on this machine, in a folder you choose. No account,
        no sign-in.
      </p>
      <div className="mt-7">
        {signIn.phase === 'working' && <Loading label="Opening" rows={3} height={86} />}
        {signIn.phase === 'refused' && (
          <ErrorPanel
            error={signIn.problem}
            title="This browser could not be let in."
            retry={() => location.reload()}
          />
        )}
        {signIn.phase === 'in' && <Choices first={pick} connected={connected} />}
      </div>
    </>
  );
}

function FirstRun({ model }: { model: string }) {
  return (
    <>
      <h1 className={HEADING}>What should it do?</h1>
      <p className="text-base text-ink-2 mt-2 mb-6 max-w-[56ch] text-pretty">
        Name a repository on this machine and a goal. The work happens in a sandbox on a copy; your checkout
        is not touched until you apply the result.
      </p>
      <NewRunForm model={model} />
    </>
  );
}
