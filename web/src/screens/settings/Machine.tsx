/** Where data lies, what isolates runs, and what the doctor found. */
import { useQuery } from '@tanstack/react-query';
import { doctorQuery, statusQuery } from '../../api/queries';
import { Glyph } from '../../ui/Glyph';
import { ErrorPanel, Loading } from '../../ui/states';

export function Machine() {
  const status = useQuery(statusQuery);
  const doctor = useQuery(doctorQuery);
  const failed = status.error ?? doctor.error;
  if (failed)
    return (
      <ErrorPanel
        error={failed}
        title="This machine's state could not be read."
        retry={() => {
          void status.refetch();
          void doctor.refetch();
        }}
      />
    );
  if (!status.data || !doctor.data) return <Loading label="Looking at this machine" />;
  const { version, data_dir, database, sandbox } = status.data;
  const facts = [
    ['Version', version],
    ['Data', data_dir],
    ['Database', database],
    ['Sandbox', sandbox ? `${sandbox.provider}, ${sandbox.isolation}` : 'none'],
  ];
  return (
    <>
      <dl className="grid grid-cols-[auto_minmax(0,1fr)] gap-x-5 gap-y-1 text-sm">
        {facts.map(([name, value]) => (
          <div key={name} className="contents">
            <dt className="text-ink-3">{name}</dt>
            <dd className="wrap-anywhere">{value}</dd>
          </div>
        ))}
      </dl>
      <ul aria-label="What the doctor found" className="mt-4 border-t border-line">
        {doctor.data.probes.map((probe) => (
          <li key={probe.name} className="hair py-2 flex items-start gap-2.5 text-sm">
            <span className="mt-[6px]">
              <Glyph tone={probe.ok ? 'ok' : 'bad'} />
            </span>
            <span className="min-w-0">
              <span className="font-[560]">{probe.name}</span>
              <span className="sr-only">{probe.ok ? ', fine' : ', lacking'}</span>
              <span className="block text-ink-2 wrap-anywhere">{probe.detail}</span>
              {probe.fix && !probe.ok && <span className="block text-ink-2 wrap-anywhere">{probe.fix}</span>}
            </span>
          </li>
        ))}
      </ul>
    </>
  );
}
