/** Loading, empty and error: three different things that never stand in for one another. */
import { CircleAlert } from 'lucide-react';
import { type ReactNode, useEffect, useState } from 'react';
import { asProblem } from '../api/client';
import { Button } from './Button';
import { Words } from './Words';

/** Grey bars of the coming content's height, shown only when it takes longer than 300 ms. */
export function Loading({ label, rows = 4, height = 52 }: { label: string; rows?: number; height?: number }) {
  const [late, setLate] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setLate(true), 300);
    return () => clearTimeout(timer);
  }, []);
  return (
    <div role="status" aria-label={label} style={{ minHeight: rows * height }}>
      {late &&
        Array.from({ length: rows }, (_, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: bars have no identity
          <div key={index} style={{ height }} className="flex flex-col justify-center gap-2 hair px-2">
            <span className="h-2.5 w-2/5 rounded-sm bg-sunken" />
            <span className="h-2 w-1/4 rounded-sm bg-sunken" />
          </div>
        ))}
    </div>
  );
}

/** Nothing here yet, and the useful next step. */
export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="py-10 px-2 max-w-[52ch]">
      <p className="font-serif text-lg">{title}</p>
      {children && <div className="mt-1 text-base text-ink-2">{children}</div>}
    </div>
  );
}

interface ErrorProps {
  error: unknown;
  /** What was wanted: "The runs could not be read". */
  title: string;
  retry?: () => void;
  compact?: boolean;
}

/** What went wrong, why, one action, and the code to quote. */
export function ErrorPanel({ error, title, retry, compact = false }: ErrorProps) {
  const problem = asProblem(error);
  const signedOut = problem.status === 401;
  const fix = problem.fix ?? (signedOut ? 'Open the link that journeyman up prints in this browser.' : null);
  return (
    <div
      role="alert"
      className={`rounded-lg border border-bad/50 bg-bad-tint/60 ${compact ? 'p-3' : 'p-4 max-w-[640px]'}`}
    >
      <p className="flex items-start gap-2 text-base font-[600]">
        <CircleAlert size={16} className="text-bad-ink mt-[3px] shrink-0" aria-hidden="true" />
        {signedOut ? 'This browser is not signed in.' : title}
      </p>
      <div className="pl-6">
        {!signedOut && (
          <p className="text-sm mt-0.5 wrap-anywhere">
            <Words text={problem.message} />
          </p>
        )}
        {fix && (
          <p className="text-sm text-ink-2 mt-0.5 wrap-anywhere">
            <Words text={fix} />
          </p>
        )}
        <p className="flex items-center gap-3 mt-2">
          {retry && (
            <Button kind="line" onClick={retry}>
              Try again
            </Button>
          )}
          <code className="font-mono text-xs text-ink-2">{problem.code}</code>
        </p>
      </div>
    </div>
  );
}
