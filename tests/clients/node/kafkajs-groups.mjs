// kafkajs in consumer groups. It has neither static members nor cooperative rebalances.
import kafkajs from 'kafkajs'
import { fileURLToPath } from 'node:url'
import { HEARTBEAT_MS, fresh, memberArguments, runGroups, value } from './groups.mjs'
import { PARTITIONS, range } from './scenario.mjs'

const { Kafka, AssignerProtocol, logLevel } = kafkajs
const file = fileURLToPath(import.meta.url)

export function groupsOf (bootstrap) {
  const kafka = new Kafka({ brokers: [bootstrap], logLevel: logLevel.NOTHING, retry: { retries: 5 } })
  const admin = kafka.admin()

  async function join ({ name, group, sessionMs }) {
    const consumer = kafka.consumer({ groupId: group, sessionTimeout: sessionMs, heartbeatInterval: HEARTBEAT_MS, maxWaitTimeInMs: 200 })
    const member = fresh()
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
      member.has = new Set(payload.memberAssignment[name] ?? [])
      member.rounds++
    })
    consumer.on(consumer.events.CRASH, ({ payload }) => { if (!payload.restart) member.error = payload.error })
    await consumer.connect()
    await consumer.subscribe({ topics: [name], fromBeginning: true })
    await consumer.run({
      autoCommit: false,
      eachMessage: async ({ partition, message }) => {
        member.records[partition].push([Number(message.offset), message.value.toString()])
      }
    })
    return Object.assign(member, {
      commit: offsets => consumer.commitOffsets([...offsets].map(([partition, offset]) => ({ topic: name, partition, offset: String(offset) }))),
      committed: () => tools.offsets(group, name),
      close: async () => {
        await consumer.disconnect()
        member.has = new Set()
      }
    })
  }

  const tools = {
    connect: () => admin.connect(),
    create: name => admin.createTopics({ topics: [{ topic: name, numPartitions: PARTITIONS }] }),
    async produce (name, first, end) {
      const producer = kafka.producer()
      await producer.connect()
      const offsets = range(end).slice(first)
      const messages = offsets.flatMap(offset => range(PARTITIONS).map(partition => ({ partition, value: value(partition, offset) })))
      await producer.send({ topic: name, messages })
      await producer.disconnect()
    },
    listGroups: async () => (await admin.listGroups()).groups.map(({ groupId }) => groupId),
    async describeGroup (group, name) {
      const { groups: [{ state, members }] } = await admin.describeGroups([group])
      const assigned = ({ memberAssignment }) => AssignerProtocol.MemberAssignment.decode(memberAssignment).assignment[name]
      return { state, members: members.map(member => assigned(member).sort()) }
    },
    async offsets (group, name) {
      const [{ partitions }] = await admin.fetchOffsets({ groupId: group, topics: [name] })
      const known = partitions.filter(({ offset }) => offset !== '-1').sort((a, b) => a.partition - b.partition)
      return new Map(known.map(({ partition, offset }) => [partition, Number(offset)]))
    },
    async ends (name) {
      return Object.fromEntries((await admin.fetchTopicOffsets(name)).map(({ partition, high }) => [partition, Number(high)]))
    },
    resetOffsets: (group, name, offsets) => admin.setOffsets({
      groupId: group,
      topic: name,
      partitions: [...offsets].map(([partition, offset]) => ({ partition, offset: String(offset) }))
    }),
    deleteGroup: group => admin.deleteGroups([group])
  }
  return { join, tools }
}

export async function runKafkajsGroups (checks, bootstrap) {
  const { join, tools } = groupsOf(bootstrap)
  await tools.connect()
  await runGroups(checks, 'kafkajs', join, tools, { file, bootstrap, hasStatic: false })
}

if (process.argv[1] === file) {
  const { bootstrap, ...asked } = memberArguments()
  await groupsOf(bootstrap).join(asked)
}
