// kafkajs: its producer and admin client in the ordinary way, and its own Fetch underneath its consumer.
//
// Usage: node kafkajs.mjs HOST:PORT
import * as zstd from '@bokuweb/zstd-wasm'
import kafkajs from 'kafkajs'
import snappy from 'kafkajs-snappy'
import { compressFrame, decompressFrame } from 'lz4-napi'
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { runKafkajsGroups } from './kafkajs-groups.mjs'
import { CHUNK, CODECS, Checks, PARTITIONS, RECORDS, compare, range, refused, timestamp, topicName } from './scenario.mjs'
import { recordsWithoutNullHeaders as records } from './scenario.mjs'

const { CompressionCodecs, CompressionTypes, ConfigResourceTypes, Kafka, logLevel } = kafkajs
const bootstrap = process.argv[2]
const kafka = new Kafka({ brokers: [bootstrap], logLevel: logLevel.NOTHING, retry: { retries: 5 } })
const admin = kafka.admin()
const topic = what => topicName('kafkajs', what)

// kafkajs brings gzip alone. Its lz4 and zstd plugins are native modules of long ago that no longer build,
// so these two codecs come from packages of today.
await zstd.init()
CompressionCodecs[CompressionTypes.Snappy] = snappy
CompressionCodecs[CompressionTypes.LZ4] = () => ({
  compress: encoder => compressFrame(encoder.buffer),
  decompress: buffer => decompressFrame(buffer)
})
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: async encoder => Buffer.from(zstd.compress(encoder.buffer)),
  decompress: async buffer => Buffer.from(zstd.decompress(buffer))
})

// The consumer of kafkajs only works within a group and cannot assign partitions by hand. What it stands on can:
// this is the cluster object it uses itself, with kafkajs's own requests, decoding and decompression.
const createCluster = Object.getOwnPropertySymbols(kafka).find(symbol => symbol.description === 'private:Kafka:createCluster')
const cluster = kafka[createCluster]({ allowAutoTopicCreation: false })

// Headers as kafkajs takes and gives them: an object, with an array where a name occurs twice.
function headersOf (pairs) {
  const object = {}
  for (const [name, bytes] of pairs) object[name] = name in object ? [object[name], bytes] : bytes
  return object
}

function pairsOf (headers) {
  return Object.entries(headers).flatMap(([name, bytes]) => [bytes].flat().map(one => [name, one]))
}

async function produce (name, batches, { codec = 'none', idempotent = false, acks = -1 } = {}) {
  const producer = kafka.producer({ idempotent, maxInFlightRequests: idempotent ? 1 : 5, allowAutoTopicCreation: true })
  await producer.connect()
  const count = batches.values().next().value.length
  const compression = CompressionTypes[{ none: 'None', gzip: 'GZIP', snappy: 'Snappy', lz4: 'LZ4', zstd: 'ZSTD' }[codec]]
  for (let first = 0; first < count; first += CHUNK) {
    const messages = [...batches].flatMap(([partition, all]) => all.slice(first, first + CHUNK).map(record => ({
      partition,
      key: record.key,
      value: record.value,
      headers: headersOf(record.headers),
      timestamp: String(record.timestamp)
    })))
    for (const answer of await producer.sendBatch({ acks, compression, topicMessages: [{ topic: name, messages }] })) {
      if (acks) assert.equal(answer.baseOffset, String(first), `acknowledged offset in partition ${answer.partition}`)
    }
  }
  await producer.disconnect()
}

async function leaders (name) {
  const { topics: [described] } = await admin.fetchTopicMetadata({ topics: [name] })
  return new Map(described.partitions.map(({ partitionId, leader }) => [partitionId, leader]))
}

async function fetch (name, partition, offset, { maxBytes = 1_048_576, maxWaitTime = 500 } = {}) {
  await cluster.addTargetTopic(name)
  const { leader } = cluster.findTopicPartitionMetadata(name).find(({ partitionId }) => partitionId === partition)
  const broker = await cluster.findBroker({ nodeId: String(leader) })
  const { responses } = await broker.fetch({
    maxWaitTime,
    maxBytes,
    topics: [{ topic: name, partitions: [{ partition, fetchOffset: String(offset), maxBytes }] }]
  })
  // A batch starts where it starts; kafkajs's consumer leaves out what precedes the wanted offset as well.
  return responses[0].partitions[0].messages.filter(message => BigInt(message.offset) >= BigInt(offset))
}

async function consume (name, partition, first, end, options) {
  const got = []
  while (got.length < end - first) {
    const messages = await fetch(name, partition, first + got.length, options)
    assert.ok(messages.length, `partition ${partition} is empty at offset ${first + got.length}`)
    for (const { offset, key, value, headers, timestamp } of messages) {
      got.push({ offset: BigInt(offset), key, value, headers: pairsOf(headers), timestamp: BigInt(timestamp) })
    }
  }
  return got
}

async function create (name, numPartitions = PARTITIONS, configs = {}) {
  const configEntries = Object.entries(configs).map(([name, value]) => ({ name, value }))
  const created = await admin.createTopics({ topics: [{ topic: name, numPartitions, configEntries }] })
  assert.equal(created, true, `${name} was there before`)
}

async function describeCluster () {
  const { brokers, controller, clusterId } = await admin.describeCluster()
  assert.ok(clusterId)
  assert.ok(brokers.some(({ nodeId }) => nodeId === controller))
}

async function createTopic () {
  const name = topic('explicit')
  await create(name)
  const described = await leaders(name)
  assert.deepEqual([...described.keys()].sort(), range(PARTITIONS))
  assert.ok([...described.values()].every(leader => leader >= 0))
  assert.equal(await admin.createTopics({ topics: [{ topic: name }] }), false, 'created twice')
  await refused(/INVALID_TOPIC_EXCEPTION/, () => create('not/a/topic'))
}

async function roundTrip (codec, idempotent) {
  const name = topic(`${codec}-${idempotent ? 'idempotent' : 'plain'}`)
  await create(name)
  const batches = new Map(range(PARTITIONS).map(partition => [partition, records(partition)]))
  await produce(name, batches, { codec, idempotent })
  for (const [partition, wanted] of batches) compare(partition, await consume(name, partition, 0, RECORDS), wanted)
}

async function autoCreated () {
  const name = topic('auto')
  const batches = new Map([[0, records(0)]])
  await produce(name, batches, { acks: 1, codec: 'gzip' })
  compare(0, await consume(name, 0, 0, RECORDS), batches.get(0))
}

async function noAcknowledgement () {
  const name = topic('acks-0')
  await create(name)
  const batches = new Map([[2, records(2)]])
  await produce(name, batches, { acks: 0 })
  compare(2, await consume(name, 2, 0, RECORDS), batches.get(2))
}

async function smallFetches () {
  const got = await consume(topic('snappy-plain'), 1, 0, RECORDS, { maxBytes: 2_000 })
  compare(1, got, records(1))
}

async function longPoll () {
  const name = topic('poll')
  await create(name, 1)
  const started = Date.now()
  const waiting = fetch(name, 0, 0, { maxWaitTime: 8_000 })
  await new Promise(resolve => setTimeout(resolve, 1_000))
  await produce(name, new Map([[0, records(0, 1)]]))
  assert.equal((await waiting).length, 1)
  assert.ok(Date.now() - started < 5_000, 'not woken by the record')
}

async function listOffsets () {
  const name = topic('gzip-idempotent')
  for (const { low, high } of await admin.fetchTopicOffsets(name)) assert.deepEqual([low, high], ['0', String(RECORDS)])
  // Where the broker knows of no such record, kafkajs says the end.
  for (const [asked, wanted] of [[timestamp(0) - 5_000, 0], [timestamp(12), 12], [timestamp(27) + 1, 28], [timestamp(38) + 1, RECORDS]]) {
    const found = await admin.fetchTopicOffsetsByTimestamp(name, asked)
    assert.deepEqual(found.map(({ offset }) => Number(offset)), Array(PARTITIONS).fill(wanted), `asked for ${asked}`)
  }
}

async function deleteRecords () {
  const name = topic('zstd-idempotent')
  await admin.fetchTopicOffsets(name) // without the leaders in its cache kafkajs would not even ask
  await admin.deleteTopicRecords({ topic: name, partitions: [{ partition: 0, offset: '15' }, { partition: 1, offset: '-1' }] })
  const low = Object.fromEntries((await admin.fetchTopicOffsets(name)).map(({ partition, low }) => [partition, Number(low)]))
  assert.deepEqual(low, { 0: 15, 1: RECORDS, 2: 0, 3: 0 })
  compare(0, await consume(name, 0, 15, RECORDS), records(0).slice(15))
  await refused(/OFFSET_OUT_OF_RANGE/, () => fetch(name, 0, 3))
}

async function configs () {
  const name = topic('configs')
  await create(name, 1, { 'retention.ms': '7200000' })
  const resource = { type: ConfigResourceTypes.TOPIC, name }
  const described = async () => {
    const { resources: [answer] } = await admin.describeConfigs({ resources: [resource], includeSynonyms: true })
    return Object.fromEntries(answer.configEntries.map(({ configName, configValue }) => [configName, configValue]))
  }
  assert.equal((await described())['retention.ms'], '7200000')
  assert.equal((await described())['max.message.bytes'], '1048588')
  await admin.alterConfigs({ validateOnly: false, resources: [{ ...resource, configEntries: [{ name: 'retention.ms', value: '3600000' }] }] })
  assert.equal((await described())['retention.ms'], '3600000')
}

async function tooLarge () {
  const name = topic('too-large')
  await create(name, 1, { 'max.message.bytes': '50000' })
  const [record] = records(0, 1)
  await refused(/MESSAGE_TOO_LARGE/, () => produce(name, new Map([[0, [{ ...record, value: Buffer.alloc(60_000) }]]])))
  await produce(name, new Map([[0, records(0, 5)]]))
}

async function morePartitions () {
  const name = topic('grown')
  await create(name, 2)
  await admin.createPartitions({ topicPartitions: [{ topic: name, count: PARTITIONS + 2 }] })
  const batches = new Map(range(PARTITIONS + 2).map(partition => [partition, records(partition, 5)]))
  await produce(name, batches)
  for (const [partition, wanted] of batches) compare(partition, await consume(name, partition, 0, 5), wanted)
}

async function deleteTopic () {
  const name = topic('explicit')
  await admin.deleteTopics({ topics: [name] })
  assert.ok(!(await admin.listTopics()).includes(name), 'still listed')
  await refused(/UNKNOWN_TOPIC_OR_PARTITION/, () => admin.deleteTopics({ topics: [name] }))
}

const { version } = createRequire(import.meta.url)('kafkajs/package.json')
console.log(`kafkajs ${version}; it has no manual assignment, so its Fetch is called underneath its consumer;`)
console.log('it cannot send headers whose value is null, they are empty here')
await admin.connect()
await cluster.connect()
const checks = new Checks()
await checks.run('cluster', describeCluster)
await checks.run('create topic', createTopic)
for (const idempotent of [true, false]) {
  for (const codec of CODECS) {
    await checks.run(`codec ${codec}, ${idempotent ? 'idempotent' : 'not idempotent'}`, () => roundTrip(codec, idempotent))
  }
}
await checks.run('auto-created topic', autoCreated)
await checks.run('no acknowledgement', noAcknowledgement)
await checks.run('small fetches', smallFetches)
await checks.run('long poll', longPoll)
await checks.run('list offsets', listOffsets)
await checks.run('delete records', deleteRecords)
await checks.run('configs', configs)
await checks.run('record too large', tooLarge)
await checks.run('more partitions', morePartitions)
await checks.run('delete topic', deleteTopic)
await runKafkajsGroups(checks, bootstrap)
checks.finish()
