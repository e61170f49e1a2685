/** Every page and its address. Filters, the open tab and the open form live in the address. */
import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  Outlet,
} from '@tanstack/react-router';
import { CHOICES, STATE_FILTERS, TABS } from './addresses';
import { Shell } from './shell/Shell';
import { Announcer } from './ui/announce';
import { CrashPanel, MissingPage } from './ui/crash';

function oneOf<T extends string>(values: readonly T[], value: unknown): T | undefined {
  return values.find((entry) => entry === value);
}

/** Leaves out what is not set, so that addresses stay short. */
function compact<T extends object>(search: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(search).filter(([, value]) => value !== undefined)) as never;
}

const root = createRootRoute({
  component: () => (
    <>
      <Outlet />
      <Announcer />
    </>
  ),
  errorComponent: CrashPanel,
  notFoundComponent: MissingPage,
});

const shell = createRoute({ getParentRoute: () => root, id: 'shell', component: Shell });

const runs = createRoute({
  getParentRoute: () => shell,
  path: '/',
  validateSearch: (search: Record<string, unknown>) =>
    compact({
      state: oneOf(STATE_FILTERS, search.state),
      project: typeof search.project === 'string' ? search.project : undefined,
      new: search.new === true ? true : undefined,
    }),
  component: lazyRouteComponent(() => import('./screens/runs/Runs'), 'Runs'),
});

const run = createRoute({
  getParentRoute: () => shell,
  path: '/runs/$run',
  validateSearch: (search: Record<string, unknown>) => compact({ tab: oneOf(TABS, search.tab) }),
  component: lazyRouteComponent(() => import('./screens/run/RunPage'), 'RunPage'),
});

const settings = createRoute({
  getParentRoute: () => shell,
  path: '/settings',
  component: lazyRouteComponent(() => import('./screens/settings/Settings'), 'Settings'),
});

const welcome = createRoute({
  getParentRoute: () => root,
  path: '/welcome',
  validateSearch: (search: Record<string, unknown>) => compact({ pick: oneOf(CHOICES, search.pick) }),
  component: lazyRouteComponent(() => import('./screens/welcome/Welcome'), 'Welcome'),
});

export const router = createRouter({
  routeTree: root.addChildren([shell.addChildren([runs, run, settings]), welcome]),
  defaultPreload: 'intent',
  defaultErrorComponent: CrashPanel,
});

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}
