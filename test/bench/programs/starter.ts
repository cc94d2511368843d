// The yardstick of G10, run as `node starter.ts FILE`: what any program of Sluice's kind has to do before it can answer
// anything. It loads the same libraries, listens on two ports, parses the same YAML, and accepts every POST.

import { readFileSync } from 'node:fs'
import * as ajv from 'ajv/dist/2020.js'
import fastify from 'fastify'
import * as undici from 'undici'
import { parseAllDocuments } from 'yaml'

const resources = parseAllDocuments(readFileSync(process.argv[2]!, 'utf8')).map((each): unknown => each.toJS())
const ingress = fastify()
ingress.addContentTypeParser('*', { parseAs: 'buffer' }, (_, body, done) => done(null, body))
ingress.post('/*', (_, reply) => reply.code(202).send())
const api = fastify()
api.get('/healthz', () => ({ resources: resources.length, libraries: [ajv, undici].length }))
const url = await ingress.listen({ port: 0, host: '127.0.0.1' })
await api.listen({ port: 0, host: '127.0.0.1' })
process.stdout.write(`starter ready ingress=${url}\n`)
