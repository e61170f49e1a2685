/**
 * What the API sends and takes, by the names that the pages use. The shapes are the server's own: schema.d.ts
 * is generated from docs/openapi.json (`npm run generate` in openapi/).
 */
import type { components } from './schema';

type Schemas = components['schemas'];

export interface Page<T> {
  items: T[];
  next: string | null;
}

export type Me = Schemas['Me'];
export type Status = Schemas['Status'];
export type Probe = Schemas['ProbeView'];
export type Project = Schemas['ProjectView'];
export type Model = Schemas['ModelView'];
export type Models = Schemas['Models'];
export type LocalServer = Schemas['LocalServer'];
export type ProviderKey = Schemas['ProviderKey'];
export type ModelTest = Schemas['ModelTest'];
export type Token = Schemas['Token'];
export type Rule = Schemas['RuleView'];
export type QuestionView = Schemas['QuestionView'];
export type Answer = Schemas['Answer'];
export type Limits = Schemas['RunLimits'];
export type Evidence = Schemas['Evidence'];
export type Run = Schemas['RunView'];
export type NewRun = Schemas['NewRun'];
export type WantedLimits = Schemas['WantedLimits'];
export type DiffLineKind = Schemas['DiffLineKind'];
export type DiffHunk = Schemas['Hunk'];
export type DiffFile = Schemas['FileDiff'];
export type Diff = Schemas['Diff'];
export type Applied = Schemas['Applied'];
export type Artifacts = Schemas['ArtifactPage'];
