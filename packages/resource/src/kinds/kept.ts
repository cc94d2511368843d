// Kinds that people have in their files and that this version doesn't act on: they are kept and shown, with a warning,
// and never fatal. A kind leaves this list for a file of its own when it is run.

import { AGE, READINESS } from '../columns.ts'
import type { Kind } from '../kind.ts'

/** The versions that these groups had; of all others, and of the kinds named here after a slash, see there. */
const SERVED: Readonly<Record<string, readonly string[]>> = {
  'eventing.knative.dev': ['v1', 'v1beta1', 'v1alpha1'],
  'eventing.knative.dev/EventPolicy': ['v1alpha1'],
  'eventing.knative.dev/EventTransform': ['v1alpha1'],
  'eventing.knative.dev/RequestReply': ['v1alpha1'],
  'eventing.knative.dev/KafkaSink': ['v1alpha1'],
  'eventing.knative.dev/ClusterChannelProvisioner': ['v1alpha1'],
  'messaging.knative.dev': ['v1', 'v1beta1', 'v1alpha1'],
  'messaging.knative.dev/NatsJetStreamChannel': ['v1alpha1'],
  'flows.knative.dev': ['v1', 'v1beta1', 'v1alpha1'],
  'sinks.knative.dev': ['v1alpha1'],
  'sources.knative.dev': ['v1', 'v1beta2', 'v1beta1', 'v1alpha2', 'v1alpha1'],
  'sources.eventing.knative.dev': ['v1alpha1'],
  'bindings.knative.dev': ['v1', 'v1beta1', 'v1alpha1'],
  'internal.kafka.eventing.knative.dev': ['v1alpha1'],
  'messaging.cloud.google.com': ['v1beta1'],
  'events.cloud.google.com': ['v1', 'v1beta1'],
  'sources.sluice.dev': ['v1alpha1'],
  autoscaling: ['v2', 'v1'],
}

/** `kubectl describe` asks for the Events of what it describes; there are none. */
const EVENT_FIELDS = ['name', 'namespace', 'kind', 'uid', 'apiVersion', 'resourceVersion', 'fieldPath']
  .map((field) => `involvedObject.${field}`)
  .concat('reason', 'type', 'reportingComponent', 'source')

/** What to do where a cluster would start something. */
const INSTEAD: Readonly<Record<string, string>> = {
  'serving.knative.dev/Service':
    'Run its container yourself, and say where it is: in the ConfigMap config-kreference-mapping of knative-eventing, Service.v1.serving.knative.dev: http://127.0.0.1:9000/.',
  ...Object.fromEntries(
    ['apps/Deployment', 'apps/StatefulSet', 'apps/DaemonSet', 'apps/ReplicaSet', '/Pod'].map((kind) => [
      kind,
      'Run its container yourself; its Service leads there with type: ExternalName, externalName: 127.0.0.1 and ports: [{port: 9000}].',
    ]),
  ),
  ...Object.fromEntries(
    ['SinkBinding', 'ContainerSource'].map((kind) => [
      `sources.knative.dev/${kind}`,
      'Run its program yourself, with K_SINK set to the URL of the Broker (kubectl get brokers).',
    ]),
  ),
}

const KNATIVE = ['all', 'knative']

/** Knative's own kinds, and ours to come (KNATIVE.md 1.1 to 1.10, A.1). */
const eventing: Kind[] = [
  ...kept('eventing.knative.dev', [...KNATIVE, 'eventing'], {
    EventPolicy: 'eventpolicies',
    EventTransform: 'eventtransforms',
    RequestReply: 'requestreplies rr',
    KafkaSink: 'kafkasinks',
  }),
  ...kept('eventing.knative.dev', [], { ClusterChannelProvisioner: 'clusterchannelprovisioners ccp' }, false),
  ...kept('messaging.knative.dev', [...KNATIVE, 'messaging'], {
    KafkaChannel: 'kafkachannels kc',
    NatsJetStreamChannel: 'natsjetstreamchannels natsjsmc',
    NatssChannel: 'natsschannels natssc',
  }),
  ...kept('flows.knative.dev', [...KNATIVE, 'flows'], { Sequence: 'sequences', Parallel: 'parallels' }),
  ...kept('sinks.knative.dev', [...KNATIVE, 'sinks', 'sink'], {
    JobSink: 'jobsinks',
    IntegrationSink: 'integrationsinks',
    RedisStreamSink: 'redisstreamsinks',
  }),
  ...['sources.knative.dev', 'sources.eventing.knative.dev'].flatMap((group) =>
    kept(group, [...KNATIVE, 'sources'], {
      ...(group === 'sources.eventing.knative.dev' && { PingSource: 'pingsources' }),
      SinkBinding: 'sinkbindings',
      ContainerSource: 'containersources',
      ApiServerSource: 'apiserversources',
      IntegrationSource: 'integrationsources',
      KafkaSource: 'kafkasources',
      GitHubSource: 'githubsources',
      GitLabSource: 'gitlabsources',
      BitBucketSource: 'bitbucketsources',
      AwsSqsSource: 'awssqssources',
      CephSource: 'cephsources',
      CouchDbSource: 'couchdbsources',
      CamelSource: 'camelsources',
      PrometheusSource: 'prometheussources',
      RabbitmqSource: 'rabbitmqsources',
      RedisStreamSource: 'redisstreamsources',
      CronJobSource: 'cronjobsources',
      GcpPubSubSource: 'gcppubsubsources',
      KubernetesEventSource: 'kuberneteseventsources',
    }),
  ),
  ...kept('bindings.knative.dev', KNATIVE, { KafkaBinding: 'kafkabindings', GitHubBinding: 'githubbindings' }),
  ...kept('internal.kafka.eventing.knative.dev', [], { Consumer: 'consumers', ConsumerGroup: 'consumergroups' }),
  ...kept('serving.knative.dev', [...KNATIVE, 'serving'], {
    Service: 'services kservice ksvc',
    Route: 'routes rt',
    Configuration: 'configurations config cfg',
    Revision: 'revisions rev',
    DomainMapping: 'domainmappings dm',
  }),
  ...kept('messaging.cloud.google.com', [], { Channel: 'channels' }),
  ...kept('internal.events.cloud.google.com', [], {
    Topic: 'topics',
    PullSubscription: 'pullsubscriptions',
    BrokerCell: 'brokercells',
  }),
  ...kept('events.cloud.google.com', [], {
    CloudPubSubSource: 'cloudpubsubsources',
    CloudStorageSource: 'cloudstoragesources',
    CloudSchedulerSource: 'cloudschedulersources',
    CloudAuditLogsSource: 'cloudauditlogssources',
    CloudBuildSource: 'cloudbuildsources',
  }),
]

/** What stands in the same files in a cluster. */
const kubernetes: Kind[] = [
  ...kept('', [], {
    Pod: 'pods po',
    ServiceAccount: 'serviceaccounts sa',
    Endpoints: 'endpoints ep',
    Event: 'events ev',
    LimitRange: 'limitranges limits',
    PersistentVolumeClaim: 'persistentvolumeclaims pvc',
    PodTemplate: 'podtemplates',
    ReplicationController: 'replicationcontrollers rc',
    ResourceQuota: 'resourcequotas quota',
    Binding: 'bindings',
  }),
  ...kept(
    '',
    [],
    { Node: 'nodes no', PersistentVolume: 'persistentvolumes pv', ComponentStatus: 'componentstatuses cs' },
    false,
  ),
  ...kept('apps', ['all'], {
    Deployment: 'deployments deploy',
    StatefulSet: 'statefulsets sts',
    DaemonSet: 'daemonsets ds',
    ReplicaSet: 'replicasets rs',
    ControllerRevision: 'controllerrevisions',
  }),
  ...kept('batch', ['all'], { Job: 'jobs', CronJob: 'cronjobs cj' }),
  ...kept('rbac.authorization.k8s.io', [], { Role: 'roles', RoleBinding: 'rolebindings' }),
  ...kept(
    'rbac.authorization.k8s.io',
    [],
    { ClusterRole: 'clusterroles', ClusterRoleBinding: 'clusterrolebindings' },
    false,
  ),
  ...kept('apiextensions.k8s.io', [], { CustomResourceDefinition: 'customresourcedefinitions crd' }, false),
  ...kept('networking.k8s.io', [], { Ingress: 'ingresses ing', NetworkPolicy: 'networkpolicies netpol' }),
  ...kept('policy', [], { PodDisruptionBudget: 'poddisruptionbudgets pdb' }),
  ...kept('autoscaling', ['all'], { HorizontalPodAutoscaler: 'horizontalpodautoscalers hpa' }),
  ...kept(
    'admissionregistration.k8s.io',
    [],
    {
      MutatingWebhookConfiguration: 'mutatingwebhookconfigurations',
      ValidatingWebhookConfiguration: 'validatingwebhookconfigurations',
    },
    false,
  ),
]

/** All of them. */
export const keptKinds: readonly Kind[] = [...eventing, ...kubernetes]

/** One row for each: the kind, then its plural and short names. */
function kept(group: string, categories: string[], rows: Record<string, string>, namespaced = true): Kind[] {
  return Object.entries(rows).map(([kind, names]) => {
    const [plural = '', ...shortNames] = names.split(' ')
    const served = SERVED[`${group}/${kind}`] ?? SERVED[group] ?? ['v1']
    return {
      group,
      kind,
      plural,
      singular: kind.toLowerCase(),
      shortNames,
      categories,
      namespaced,
      versions: [],
      served,
      columns: group.endsWith('knative.dev') ? [AGE, ...READINESS] : [AGE],
      ...(kind === 'Event' && group === '' && { selectable: EVENT_FIELDS }),
      description: `A ${kind} of ${group === '' ? 'Kubernetes' : group}. Kept, and not acted on by this version.`,
      run: false,
      ...(INSTEAD[`${group}/${kind}`] !== undefined && { instead: INSTEAD[`${group}/${kind}`]! }),
      naming: 'path',
    }
  })
}
