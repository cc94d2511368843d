// What operators want to read of where Brokers keep their events: what an open has found, and what waits in the trash.

import type { StorageObserver, StorageProblem } from '@sluice/controller'
import type { EventLog } from './log-observer.ts'

/** A line of the log for each; {@link StorageObserver.synced} is for metrics. */
export function storageLog(log: EventLog): Omit<Required<StorageObserver>, 'synced'> {
  const warnOf = (broker: string, { path, what, events }: StorageProblem): void => {
    if (events > 0) log.warn({ broker, path, what, events }, LOST)
    else log.warn({ broker, path, what }, 'the log was damaged; no event is lost by it')
  }
  return {
    recovered({ namespace, name }, { events, deadLetters, tornBytes, isRewound, problems }) {
      const broker = `${namespace}/${name}`
      const found = {
        stored: events,
        ...(deadLetters > 0 && { deadLetters }),
        ...(tornBytes > 0 && { tornBytes }),
        ...(problems.length > 0 && { problems: problems.length }),
      }
      log.info({ broker, ...found }, 'opened the log that was there')
      for (const problem of problems) warnOf(broker, problem)
      if (isRewound) log.warn({ broker }, 'progress was missing or damaged; some events are delivered again')
    },
    retrying({ namespace, name }, what) {
      log.warn({ broker: `${namespace}/${name}`, what }, 'the disk failed; what it was to store goes into a new file')
    },
    degraded({ namespace, name }, why) {
      const broker = `${namespace}/${name}`
      if (why === undefined) log.info({ broker }, 'the channel works again')
      else log.warn({ broker, why }, 'the channel does not work as it should')
    },
    damaged({ namespace, name }, problem) {
      warnOf(`${namespace}/${name}`, problem)
    },
    discarded({ broker, folder, untilMs }) {
      const until = new Date(untilMs).toISOString()
      log.warn({ broker, folder, until }, 'Broker deleted; its data waits in the trash')
    },
    unread({ namespace, name }, folder) {
      const broker = `${namespace}/${name}`
      log.warn({ broker, folder }, 'the Broker has no log now; what is in the one it had is not delivered until it has')
    },
  }
}

const LOST = "stored events can't be read any more; what follows them is delivered"
