// core v1 Service. Of type ExternalName it gives a name to an address outside; others are known by their DNS name.

import { hostRefusal } from '@sluice/target'
import { AGE, column } from '../columns.ts'
import { NEVER_CONNECTED } from '../ducks.ts'
import type { Draft, JsonSchema, Kind, Report } from '../kind.ts'
import { isRecord, type Resource } from '../resource.ts'

const STRINGS: JsonSchema = { type: 'array', items: { type: 'string' } }

/** The kind. */
export const service: Kind = {
  group: '',
  kind: 'Service',
  plural: 'services',
  singular: 'service',
  shortNames: ['svc'],
  categories: ['all'],
  namespaced: true,
  versions: ['v1'],
  description: 'A Service names an address; of type ExternalName, one that is anywhere.',
  run: true,
  naming: 'label',
  fields: {
    spec: {
      type: 'object',
      description: 'The address: externalName and a port. Other types of Service are found by their DNS name.',
      additionalProperties: false,
      properties: {
        type: {
          type: 'string',
          enum: ['ExternalName', 'ClusterIP', 'NodePort', 'LoadBalancer'],
          description: 'Default ClusterIP.',
        },
        externalName: {
          type: 'string',
          description: 'Host name or address of an ExternalName Service.',
          maxLength: 253,
        },
        ports: {
          type: 'array',
          description: 'The port: that named http or https, else the first. Default 80.',
          items: {
            type: 'object',
            additionalProperties: false,
            required: ['port'],
            properties: {
              name: { type: 'string', description: 'Name of the port; https means TLS.' },
              port: { type: 'integer', minimum: 1, maximum: 65_535, description: 'The port.' },
              protocol: { type: 'string', enum: ['TCP', 'UDP', 'SCTP'], description: 'Default TCP.' },
              targetPort: { description: 'Kept; of no meaning here.' },
              nodePort: { type: 'integer', description: 'Kept; of no meaning here.' },
              appProtocol: { type: 'string', description: 'Of the port; https means TLS.' },
            },
          },
        },
        selector: { type: 'object', additionalProperties: { type: 'string' } },
        clusterIP: { type: 'string' },
        clusterIPs: STRINGS,
        externalIPs: STRINGS,
        externalTrafficPolicy: { type: 'string' },
        internalTrafficPolicy: { type: 'string' },
        trafficDistribution: { type: 'string' },
        healthCheckNodePort: { type: 'integer' },
        ipFamilies: STRINGS,
        ipFamilyPolicy: { type: 'string' },
        loadBalancerIP: { type: 'string' },
        loadBalancerClass: { type: 'string' },
        loadBalancerSourceRanges: STRINGS,
        allocateLoadBalancerNodePorts: { type: 'boolean' },
        publishNotReadyAddresses: { type: 'boolean' },
        sessionAffinity: { type: 'string' },
        sessionAffinityConfig: { type: 'object' },
      },
    },
  },
  columns: [
    { name: 'Type', description: 'ExternalName, or another.', value: ({ spec }) => spec?.['type'] ?? 'ClusterIP' },
    column('Cluster-IP', ['spec', 'clusterIP'], 'Kept; of no meaning here.'),
    column('External-IP', ['spec', 'externalName'], 'The host of an ExternalName Service.'),
    { name: 'Port(s)', description: 'Its ports.', value: ({ spec }) => portsOf(spec?.['ports']) },
    AGE,
  ],
  validate: validateService,
  address: serviceAddress,
}

function validateService({ spec }: Draft, report: Report): void {
  if (!isRecord(spec) || spec['type'] !== 'ExternalName') return
  const { externalName } = spec
  if (externalName === undefined || externalName === '') {
    report({
      code: 'SLUICE_RESOURCE_MISSING_FIELD',
      path: ['spec'],
      at: 'key',
      message: 'missing field(s): spec.externalName',
      hint: 'Give the host name that this Service stands for, such as localhost.',
    })
  } else if (typeof externalName === 'string' && !URL.canParse(`http://${hostOf(externalName)}/`)) {
    refuseHost(externalName, report)
  } else if (typeof externalName === 'string' && /[/:@?#]/.test(externalName) && !isIPv6(externalName)) {
    refuseHost(externalName, report)
  } else if (typeof externalName === 'string') {
    const refusal = hostRefusal(NEVER_CONNECTED, new URL(`http://${hostOf(externalName)}/`).hostname)
    if (refusal === undefined) return
    report({ code: 'SLUICE_RESOURCE_INVALID', path: ['spec', 'externalName'], message: `${refusal}.` })
  }
}

function refuseHost(externalName: string, report: Report): void {
  report({
    code: 'SLUICE_RESOURCE_INVALID',
    path: ['spec', 'externalName'],
    message: `invalid value: ${externalName.slice(0, 80)}: spec.externalName`,
    hint: 'It has to be a host name only; the port stands in spec.ports.',
  })
}

/** Spec 42: the DNS name; of type ExternalName, the address itself (DESIGN, "Resources"). */
function serviceAddress(
  { namespace, name }: { readonly namespace: string; readonly name: string },
  resource: Resource | undefined,
  suffix: string,
): string {
  const spec = resource?.spec
  if (spec?.['type'] !== 'ExternalName') return `http://${name}.${namespace}.${suffix}`
  const { port, scheme } = portOf(spec['ports'])
  return `${scheme}://${hostOf(String(spec['externalName']))}${port === DEFAULT_PORTS[scheme] ? '' : `:${port}`}`
}

const DEFAULT_PORTS = { http: 80, https: 443 }

/** As kubectl shows them: `9000/TCP`. */
function portsOf(ports: unknown): string {
  const all = Array.isArray(ports) ? ports.filter(isRecord) : []
  return all.map(({ port, protocol = 'TCP' }) => `${String(port)}/${String(protocol)}`).join(',')
}

function portOf(ports: unknown): { port: number; scheme: 'http' | 'https' } {
  const all = Array.isArray(ports) ? ports.filter(isRecord) : []
  const chosen = all.find(({ name }) => name === 'http') ?? all.find(({ name }) => name === 'https') ?? all[0]
  const secure = chosen?.['name'] === 'https' || chosen?.['appProtocol'] === 'https'
  return { port: Number(chosen?.['port'] ?? 80), scheme: secure ? 'https' : 'http' }
}

function isIPv6(host: string): boolean {
  return /^[\da-f:.]*:[\da-f:.]*:[\da-f:.]*$/i.test(host)
}

function hostOf(host: string): string {
  return isIPv6(host) ? `[${host}]` : host
}
