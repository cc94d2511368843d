// A resource as an answer has it: in the version that was asked for, without what is empty, and without what nobody may
// read again.

import { apiVersionOf, type Kind, type Metadata, type Resource } from '@sluice/resource'

/** A resource on the wire. */
export interface Presented {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: Readonly<Record<string, unknown>>
  readonly [field: string]: unknown
}

/** For an answer. */
export function present(resource: Resource, kind: Kind, version: string): Presented {
  return presentAll(kind.hide?.(resource) ?? resource, kind, version)
}

/** As {@link present}, for a patch: with what nobody may read. */
export function presentAll(resource: Resource, kind: Kind, version: string): Presented {
  const shown = kind.forms?.[version]?.present(resource) ?? resource
  const { apiVersion: _apiVersion, kind: _kind, metadata, status, ...content } = shown
  return {
    apiVersion: apiVersionOf(kind.group, version),
    kind: kind.kind,
    metadata: presentMetadata(metadata),
    ...content,
    ...(status !== undefined && { status }),
  }
}

/** Without what is empty. */
export function presentMetadata(metadata: Metadata): Readonly<Record<string, unknown>> {
  const { name, namespace, uid, resourceVersion, generation, creationTimestamp, labels, annotations, ...rest } =
    metadata
  return {
    name,
    ...(namespace !== '' && { namespace }),
    uid,
    resourceVersion,
    generation,
    creationTimestamp,
    ...(Object.keys(labels).length > 0 && { labels }),
    ...(Object.keys(annotations).length > 0 && { annotations }),
    ...rest,
  }
}

/** Metadata alone, for who asks for no more. */
export function presentPartial(resource: Resource, kind: Kind): Presented {
  const { metadata } = kind.hide?.(resource) ?? resource
  return {
    apiVersion: 'meta.k8s.io/v1',
    kind: 'PartialObjectMetadata',
    metadata: presentMetadata(metadata),
  }
}
