// What operators want to read of where Brokers keep their events: what an open has found, and what waits in the trash.

import type { BrokerName } from '@sluice/broker'
import type { StorageObserver, StorageProblem } from '@sluice/controller'
import type { EventLog } from './log-observer.ts'

/** A line of the log for each; {@link StorageObserver.synced} is for metrics. */
export function storageLog(log: EventLog): Omit<Required<StorageObserver>, 'synced'> {
  const warnOf = (of: object, { path, what, events }: StorageProblem): void => {
    if (events > 0) log.warn({ ...of, path, what, events }, LOST)
    else log.warn({ ...of, path, what }, 'the log was damaged; no event is lost by it')
  }
  return {
    recovered(broker, { events, toDeliver, deadLetters, tornBytes, isRewound, problems }) {
      const of = hubFields(broker)
      const found = {
        stored: events,
        [toDeliver.bound === 'exact' ? 'toDeliver' : 'toDeliverAtMost']: toDeliver.events,
        ...(deadLetters > 0 && { deadLetters }),
        ...(tornBytes > 0 && { tornBytes }),
        ...(problems.length > 0 && { problems: problems.length }),
      }
      log.info({ ...of, ...found }, 'opened the log that was there')
      for (const problem of problems) warnOf(of, problem)
      if (isRewound) log.warn(of, 'progress was missing or damaged; some events are delivered again')
    },
    retrying(broker, what) {
      log.warn({ ...hubFields(broker), what }, 'the disk failed; what it was to store goes into a new file')
    },
    degraded(broker, why) {
      if (why === undefined) log.info(hubFields(broker), 'the channel works again')
      else log.warn({ ...hubFields(broker), why }, 'the channel does not work as it should')
    },
    damaged(broker, problem) {
      warnOf(hubFields(broker), problem)
    },
    discarded({ of, broker, folder, untilMs }) {
      const until = new Date(untilMs).toISOString()
      log.warn({ [of.toLowerCase()]: broker, folder, until }, `${of} deleted; its data waits in the trash`)
    },
    unread(broker, folder) {
      const why = `the ${broker.kind} has no log now; what is in the one it had is not delivered until it has`
      log.warn({ ...hubFields(broker), folder }, why)
    },
  }
}

const LOST = "stored events can't be read any more; what follows them is delivered"

/** The name of a Broker or channel, as it is logged. */
export function hubFields({ kind, namespace, name }: BrokerName): object {
  return { [kind === 'Broker' ? 'broker' : 'channel']: `${namespace}/${name}` }
}
