/** The frame around every page but Welcome. */
import { useQueryClient } from '@tanstack/react-query';
import { Outlet, useNavigate } from '@tanstack/react-router';
import { useEffect, useRef, useState } from 'react';
import { followRuns } from '../api/queries';
import { useConnection } from '../api/socket';
import { KeySheet } from './KeySheet';
import { useCommands, useKeyboard } from './keys';
import { Palette } from './Palette';
import { Rail } from './Rail';
import { SignedOut } from './SignedOut';
import { TopBar } from './TopBar';
import { useTheme } from './theme';

export function Shell() {
  const [sheet, setSheet] = useState(false);
  const [palette, setPalette] = useState(false);
  const navigate = useNavigate();
  const { shown, choose } = useTheme();
  useLiveLists();
  useKeyboard();
  useCommands([
    { id: 'sheet', keys: 'Shift+?', scope: 'Everywhere', label: 'Show the keys', run: () => setSheet(true) },
    { id: 'palette', keys: '$mod+k', scope: 'Everywhere', label: 'Go to', run: () => setPalette(true) },
    { id: 'go-runs', keys: 'g r', scope: 'Everywhere', label: 'Runs', run: () => void navigate({ to: '/' }) },
    {
      id: 'go-settings',
      keys: 'g ,',
      scope: 'Everywhere',
      label: 'Settings',
      run: () => void navigate({ to: '/settings' }),
    },
    {
      id: 'new-run',
      keys: 'c',
      scope: 'Everywhere',
      label: 'New run',
      run: () => void navigate({ to: '/', search: (before) => ({ ...before, new: true }) }),
    },
    {
      id: 'theme',
      keys: 'g t',
      scope: 'Everywhere',
      label: 'Switch between light and dark',
      run: () => choose(shown === 'dark' ? 'light' : 'dark'),
    },
  ]);
  return (
    <div className="h-full grid grid-rows-[auto_minmax(0,1fr)] md:grid-rows-[minmax(0,1fr)] md:grid-cols-[212px_minmax(0,1fr)]">
      <a href="#main" className="skip">
        Skip to content
      </a>
      <TopBar />
      <Rail />
      <main id="main" tabIndex={-1} className="min-h-0 min-w-0 outline-none">
        <Outlet />
      </main>
      <SignedOut />
      <KeySheet open={sheet} setOpen={setSheet} />
      <Palette open={palette} setOpen={setPalette} />
    </div>
  );
}

/** Keeps the lists of runs live; what a broken connection missed is read again. */
function useLiveLists(): void {
  const client = useQueryClient();
  const phase = useConnection((state) => state.phase);
  const wasBroken = useRef(false);
  useEffect(() => followRuns(), []);
  useEffect(() => {
    if (phase === 'broken') wasBroken.current = true;
    if (phase !== 'live' || !wasBroken.current) return;
    wasBroken.current = false;
    void client.invalidateQueries();
  }, [phase, client]);
}
