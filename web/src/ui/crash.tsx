/** When a page itself breaks, or an address leads nowhere. */
import { Link } from '@tanstack/react-router';
import { buttonClass } from './Button';
import { ErrorPanel } from './states';

export function CrashPanel({ error }: { error: unknown }) {
  return (
    <div className="p-6">
      <h1 className="font-serif text-xl mb-3">This page broke</h1>
      <ErrorPanel error={error} title="The page could not be drawn." retry={() => window.location.reload()} />
    </div>
  );
}

export function MissingPage() {
  return (
    <main className="p-6">
      <h1 className="font-serif text-xl">There is no such page</h1>
      <p className="text-base text-ink-2 mt-1 mb-3">The address may be old, or cut off.</p>
      <Link to="/" className={buttonClass('line')}>
        All runs
      </Link>
    </main>
  );
}
