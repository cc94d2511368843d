// The channel that a Broker asks for: its spec.config names a ConfigMap, and that has a channel template
// (./channel-template.ts).

import { channelIn, KNOWN_CHANNELS, templateIn, TEMPLATE_KEY, type TemplateChannel } from './channel-template.ts'
import { channelConfigOf, isKnatives, type Broker } from './kinds/broker.ts'
import { nameOf, type Identity, type Resource } from './resource.ts'

/** The channel of one Broker. */
export type BrokerChannel =
  /** It names none: that of the process, `--channel`. */
  { readonly kind: 'default' } | TemplateChannel

/** What a Broker asks for. `find`: of the resources that are there. */
export function brokerChannel(broker: Broker, find: (identity: Identity) => Resource | undefined): BrokerChannel {
  const config = channelConfigOf(broker)
  if (config === undefined) return { kind: 'default' }
  const title = nameOf(config)
  if (config.group !== '' || config.kind !== 'ConfigMap') {
    return none(`spec.config names ${title}. A channel stands in a ConfigMap of v1, under ${TEMPLATE_KEY}.`)
  }
  const configMap = find(config)
  if (configMap === undefined) {
    if (isKnatives(config)) return { kind: 'default' }
    return none(`${title}, which spec.config names, does not exist. Add it, or take spec.config out.`)
  }
  const found = templateIn(configMap)
  if (found === undefined) return none(`${title}, which spec.config names, has no ${TEMPLATE_KEY}. ${KNOWN_CHANNELS}`)
  return channelIn(found.text, title)
}

function none(why: string): BrokerChannel {
  return { kind: 'none', why }
}
