/** What the run kept for download: whole outputs, the patch, files. */
import { useQuery } from '@tanstack/react-query';
import { Download } from 'lucide-react';
import { useEffect } from 'react';
import { artifactsQuery } from '../../api/queries';
import type { Run } from '../../api/types';
import type { RunLog } from '../../log/blocks';
import { bytes } from '../../ui/format';
import { ErrorPanel, Loading } from '../../ui/states';

export default function FilesTab({ run, log }: { run: Run; log: RunLog }) {
  const artifacts = useQuery(artifactsQuery(run.id));
  const { refetch } = artifacts;
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new artifact in the log makes the list stale
  useEffect(() => void refetch(), [log.artifacts.length, refetch]);
  if (artifacts.isPending)
    return (
      <div className="p-4">
        <Loading label="Loading the files" />
      </div>
    );
  if (artifacts.error)
    return (
      <div className="p-4">
        <ErrorPanel
          error={artifacts.error}
          title="The files could not be read."
          retry={() => void artifacts.refetch()}
        />
      </div>
    );
  if (artifacts.data.items.length === 0)
    return (
      <p className="p-5 text-sm text-ink-2">
        Nothing kept yet. Outputs too long for the log and the final patch appear here.
      </p>
    );
  return (
    <ul className="px-4 py-2">
      {artifacts.data.items.map((artifact) => (
        <li key={artifact.id} className="hair">
          <a
            href={`/v1/artifacts/${artifact.id}`}
            download={artifact.name}
            className="flex items-center gap-3 min-h-11 px-2 rounded-md hover:bg-hover"
          >
            <Download size={14} aria-hidden="true" className="text-ink-3 shrink-0" />
            <span className="font-mono text-xs truncate flex-1">{artifact.name}</span>
            <span className="text-xs text-ink-3">{artifact.sort}</span>
            <span className="text-xs text-ink-3 num">{bytes(artifact.size_bytes)}</span>
          </a>
        </li>
      ))}
    </ul>
  );
}
