// The suite itself, on a stand-in for servers of two kinds; the drivers under channels/ run it on the real ones.

import { manualClock } from '@sluice/clock'
import { channelConformance } from '@sluice/channel/conformance'
import { ledger } from './ledger.ts'

channelConformance({
  name: 'ledger, in real time, with everything',
  quietMs: 20,
  create: ({ clock, parkedMax = 1000, eventBytesMax = 1024 * 1024 }) =>
    ledger(clock, { maxParked: parkedMax, maxEventBytes: eventBytesMax }),
})

channelConformance({
  name: 'ledger, by hand, with a partitioned log on its mind',
  clock: manualClock,
  create: ({ clock, parkedMax = 1000 }) =>
    ledger(clock, { maxParked: parkedMax, seek: 'offline', attempts: 'process', lossDetected: false, inOrder: false }),
})

channelConformance({
  name: 'ledger, by hand, with next to nothing',
  clock: manualClock,
  create: ({ clock, parkedMax = 1000 }) =>
    ledger(clock, {
      maxParked: parkedMax,
      browse: false,
      starts: ['latest', 'time'],
      seek: 'none',
      attempts: 'process',
      inOrder: false,
      order: 'none',
      filterUpdate: 'replace',
      lag: 'unknown',
      lossDetected: false,
      maxSubscriptions: 50,
      fidelity: 'binding',
    }),
})
