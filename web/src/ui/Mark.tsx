/** The house: a roof over the run's ribbon. */
export function Mark({ size = 20 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 20 20" aria-hidden="true" className="shrink-0">
      <path
        d="M2 17V9.2L10 3l8 6.2V17"
        fill="none"
        stroke="currentColor"
        strokeWidth="1.7"
        strokeLinejoin="round"
      />
      <rect x="6" y="13" width="1.8" height="4" fill="var(--run)" />
      <rect x="9.1" y="10" width="1.8" height="7" fill="currentColor" />
      <rect x="12.2" y="12" width="1.8" height="5" fill="var(--you)" />
    </svg>
  );
}

export function Wordmark({ large = false }: { large?: boolean }) {
  return (
    <span className="flex items-center gap-2">
      <Mark size={large ? 22 : 20} />
      <span className={`font-serif tracking-[-.015em] ${large ? 'text-xl' : 'text-lg'}`}>Journeyman</span>
    </span>
  );
}
