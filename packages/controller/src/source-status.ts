// What the status of a source says, in Knative's words (KNATIVE.md 1.4, A.2). Pure.

import { conditions, findKind, groupOf, type Mark, type Resolved, type Resource, type Status } from '@sluice/resource'
import type { SourceState } from './source.ts'

/** `sink`: where it is now, or why nowhere. `url`: where it is reached, where it takes requests. */
export function sourceStatus(resource: Resource, state: SourceState, sink: Resolved, url: string): Status {
  const types = findKind(groupOf(resource.apiVersion), resource.kind)?.conditions ?? { living: [] }
  const said = state.state === 'running' ? state.source.status() : {}
  const marks: Record<string, Mark> = {
    SinkProvided: sink.url === undefined ? { status: 'False', reason: 'NotFound', message: sink.message } : TRUE,
    Deployed: deployedMark(state, said.trouble),
    OIDCIdentityCreated: { status: 'True', reason: 'OIDCDisabled' },
  }
  const known = Object.fromEntries(Object.entries(marks).filter(([type]) => types.living.includes(type)))
  const takesRequests = state.state === 'running' && state.source.http !== undefined
  return {
    ...said.fields,
    observedGeneration: resource.metadata.generation,
    conditions: conditions(types, known),
    ...(sink.url !== undefined && { sinkUri: sink.url }),
    ...(sink.caCerts !== undefined && { sinkCACerts: sink.caCerts }),
    ...(said.ceAttributes !== undefined && { ceAttributes: said.ceAttributes }),
    ...(takesRequests && { address: { name: new URL(url).protocol.slice(0, -1), url } }),
  }
}

const TRUE: Mark = { status: 'True' }

function deployedMark(state: SourceState, trouble: string | undefined): Mark {
  switch (state.state) {
    case 'opening':
      return { status: 'Unknown', reason: 'DeploymentUnavailable', message: 'The source is not open yet.' }
    case 'failed':
      return { status: 'False', reason: 'SourceFailed', message: state.reason }
    case 'running':
      return trouble === undefined ? TRUE : { status: 'False', reason: 'SourceFailed', message: trouble }
  }
}
