// `sluice webhook`: what concerns requests that come in from providers.

import type { Command } from 'commander'
import { clientWord, collect, word } from './flags.ts'

/** `sluice webhook test SOURCE --fixture FILE` */
export function webhookCommand(): Command {
  const test = clientWord('test', 'Send what a provider would send, signed with the secret of the source.')
    .argument('<source>', 'NAME or NAMESPACE/NAME of a WebhookSource')
    .requiredOption('--fixture <file>', 'the body, as it is; - = standard input')
    .option('--event <name>', "the provider's name of the event, where that stands in a header, such as push")
    .option('-H, --header <header>', "a header, 'Name: value'; may be repeated", collect)
    .action(async (source: string, options) => (await import('./webhook-test.ts')).webhookTest(source, options))
  return word('webhook', 'Requests of providers.').addCommand(test)
}
