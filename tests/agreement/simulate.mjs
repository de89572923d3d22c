// Random requests and policies through @cloud-copilot/iam-simulate and through `yagura access eval`, side by side.
//
//   npm install --prefix DIR @cloud-copilot/iam-simulate
//   node tests/agreement/simulate.mjs DIR path/to/yagura [count] [seed] [all]
//   node tests/agreement/simulate.mjs DIR target/debug/examples/evaluations    (without building the program)
//   node tests/agreement/simulate.mjs DIR - [count] [seed]                     (only prints the lines)
//   node tests/agreement/simulate.mjs DIR measure [count] [seed] [rounds]      (only measures iam-simulate)
//
// Every disagreement is printed as the line that was asked, and fails the run. Where iam-simulate is known to differ from
// what AWS documents, the generator leaves the feature out unless `all` is given (KNOWN), or the line is of a kind that
// is told apart (DIFFERENCES).

import { spawnSync } from 'node:child_process'
import { writeSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { join, resolve } from 'node:path'

const [directory, program, count = '20000', seed = '1', scope = 'agreed'] = process.argv.slice(2)
if (!directory || !program) {
  console.error('usage: node simulate.mjs DIR YAGURA [COUNT] [SEED] [all]')
  process.exit(2)
}
const modules = resolve(directory, 'node_modules/@cloud-copilot')
const load = (path) => import(pathToFileURL(join(modules, path)).href)
const { authorize } = await load('iam-simulate/dist/esm/core_engine/CoreSimulatorEngine.js')
const { AwsRequestImpl } = await load('iam-simulate/dist/esm/request/request.js')
const { RequestContextImpl } = await load('iam-simulate/dist/esm/requestContext.js')
const { DiscoveryContextKeyConstraints } = await load('iam-simulate/dist/esm/context_keys/discoveryContextKeyConstraints.js')
const { anonymousPrincipal } = await load('iam-simulate/dist/esm/index.js')
const { loadPolicy } = await load('iam-policy/dist/esm/index.js')

// Features in which iam-simulate 0.1.173 departs from AWS's documentation; each was looked at on single lines.
// - ForAnyValue with IfExists: an absent key is no match there; IfExists makes it one.
// - A prefix of /0: no address is in it there.
// - An address of one version against a bare one of the other: taken for equal there.
// - Seconds since 1970: read as something else there.
// - ${*} under StringEquals and its IgnoreCase forms: not read there, so that it equals nothing.
// - An empty value: taken for an absent one there where a variable asks for it.
// - Version 2008-10-17, or none: variables are read there all the same.
// - A variable without a value under a negated operator: no match there; nothing equals a value that is not, so the
//   negation holds.
// - Variables under the ARN operators: taken apart at their own colons there, so that they equal nothing. An ARN of too few parts under them: no match there; it
//   equals no ARN, so the negation holds.
// - A number that is none under NumericNotEquals: no match there; it equals no number, so the negation holds.
const KNOWN = scope !== 'all'
const without = (list, pattern) => (KNOWN ? list.filter((value) => !pattern.test(value)) : list)

// A small generator of our own, so that a seed means the same everywhere.
let state = Number(seed) >>> 0
const random = () => {
  state = (state + 0x6d2b79f5) >>> 0
  let mixed = Math.imul(state ^ (state >>> 15), state | 1)
  mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
}
const chance = (part) => random() < part
const one = (list) => list[Math.floor(random() * list.length)]
const some = (list, most = 3) => Array.from({ length: 1 + Math.floor(random() * most) }, () => one(list))
const oneOrSome = (list) => (chance(0.5) ? one(list) : some(list))

const OWN = '111122223333'
const OTHER = '444455556666'
const PRINCIPALS = [OWN, OTHER].flatMap((account) => [
  `arn:aws:iam::${account}:user/alice`,
  `arn:aws:iam::${account}:user/team/bob`,
  `arn:aws:iam::${account}:role/web`,
  `arn:aws:sts::${account}:assumed-role/web/s1`,
  `arn:aws:sts::${account}:assumed-role/deep/s2`,
  `arn:aws:sts::${account}:federated-user/alice`
])
const NAMED = [
  ...PRINCIPALS,
  `arn:aws:iam::${OWN}:role/a/b/deep`,
  `arn:aws:iam::${OWN}:root`,
  `arn:aws:iam::${OTHER}:root`,
  OWN,
  OTHER,
  'AIDAEXAMPLEEXAMPLE12'
]
const SERVICES = ['sns.amazonaws.com', 'events.amazonaws.com']
const RESOURCES = {
  s3: ['arn:aws:s3:::bucket/a/b.txt', 'arn:aws:s3:::bucket', 'arn:aws:s3:::other/alice/x', 'arn:aws:s3:::bucket/a:b'],
  sqs: [`arn:aws:sqs:us-east-1:${OWN}:queue`, `arn:aws:sqs:eu-west-1:${OTHER}:queue-2`],
  kms: [`arn:aws:kms:us-east-1:${OWN}:key/k-1`, `arn:aws:kms:us-east-1:${OTHER}:key/k-2`],
  sts: [`arn:aws:iam::${OWN}:role/web`, `arn:aws:iam::${OTHER}:role/x/deep`],
  ec2: [`arn:aws:ec2:us-east-1:${OWN}:instance/i-1`]
}
const ACTIONS = {
  s3: ['s3:GetObject', 's3:PutObject', 's3:ListBucket'],
  sqs: ['sqs:SendMessage', 'sqs:ReceiveMessage'],
  kms: ['kms:Decrypt', 'kms:Encrypt'],
  sts: ['sts:AssumeRole', 'sts:TagSession'],
  ec2: ['ec2:StartInstances', 'ec2:StopInstances']
}
const actionPatterns = (service) => [...ACTIONS[service], `${service}:*`, '*', `${service}:?et*`, `${service.toUpperCase()}:*`, `${service}:*e*`, 'logs:*']
const RESOURCE_PATTERNS = (service) => [
  ...RESOURCES[service],
  '*',
  `arn:aws:${service}:*:*:*`,
  'arn:aws:s3:::bucket/*',
  'arn:aws:s3:::b*t/?/*',
  'arn:aws:s3:::other/${aws:username}/*',
  'arn:aws:s3:::bucket/${aws:PrincipalTag/team}*',
  "arn:aws:s3:::${aws:PrincipalTag/none, 'bucket'}/a*",
  'arn:*:*:*:*:*',
  `arn:aws:${service}:us-*-1:${OWN}:*`
]
const KEYS = {
  'aws:PrincipalTag/team': without(['a', 'A', 'core', 'a*', ''], /^$/),
  'aws:SourceIp': ['192.0.2.1', '10.1.2.3', '2001:db8::1'],
  'aws:SecureTransport': ['true', 'false'],
  'aws:MultiFactorAuthAge': without(['10', '300', '-1', '3.5', 'x'], /x/),
  'aws:CurrentTime': without(['2026-01-31T12:00:00Z', '2025-06-01T00:00:00Z', '1769860800'], /^\d+$/),
  'aws:SourceArn': ['arn:aws:sns:us-east-1:111122223333:topic', 'arn:aws:s3:::bucket', 'arn:aws:logs:us-east-1:111122223333:log-group:x:y'],
  'aws:TagKeys': [['a'], ['a', 'b'], ['c', 'core'], []],
  'aws:PrincipalOrgID': ['o-1', 'o-2']
}
const TESTS = [
  { key: 'aws:PrincipalTag/team', of: ['StringEquals', 'StringNotEquals', 'StringEqualsIgnoreCase', 'StringNotEqualsIgnoreCase', 'StringLike', 'StringNotLike'], values: without(['a', 'A', 'core', 'c*', '?', '${aws:PrincipalOrgID}', '${aws:none}', 'a${*}'], /\$\{/) },
  { key: 'aws:PrincipalTag/team', of: ['StringEquals', 'StringLike'], values: ['a', 'core', '${aws:PrincipalOrgID}', '${aws:none}', "${aws:none, 'core'}", '${aws:PrincipalTag/team}'] },
  { key: 'aws:PrincipalTag/team', of: ['StringLike', 'StringNotLike'], values: ['a${*}', 'a${*}*', '${?}', 'c*'] },
  { key: 'aws:TagKeys', set: true, of: ['StringEquals', 'StringNotEquals', 'StringLike', 'StringNotLike'], values: ['a', 'b', 'c*', 'core'] },
  { key: 'aws:SourceIp', of: ['IpAddress', 'NotIpAddress'], values: ['192.0.2.0/24', '10.0.0.0/8', '10.1.2.99/30', '2001:db8::/32', ...without(['192.0.2.1'], /./), '192.0.2.1/32', '0.0.0.0/1', ...without(['0.0.0.0/0'], /./)] },
  { key: 'aws:SecureTransport', of: ['Bool'], values: ['true', 'false'] },
  { key: 'aws:MultiFactorAuthAge', of: ['NumericEquals', 'NumericNotEquals', 'NumericLessThan', 'NumericLessThanEquals', 'NumericGreaterThan', 'NumericGreaterThanEquals'], values: without(['10', '300', '3.50', '0', 'ten'], /ten/) },
  { key: 'aws:CurrentTime', of: ['DateEquals', 'DateNotEquals', 'DateLessThan', 'DateLessThanEquals', 'DateGreaterThan', 'DateGreaterThanEquals'], values: without(['2026-01-31T12:00:00Z', '2026-01-01', '1769860800', '2025-12-31T23:59:59+09:00'], /^\d+$/) },
  { key: 'aws:SourceArn', of: ['ArnEquals', 'ArnNotEquals', 'ArnLike', 'ArnNotLike'], values: ['arn:aws:sns:*:111122223333:*', 'arn:aws:s3:::b*', 'arn:aws:logs:us-east-1:111122223333:log-group:*', ...without(['arn:aws:sns:us-east-1:${aws:PrincipalAccount}:topic', 'arn:aws:sns:*'], /./)] },
  { key: 'aws:SourceArn', of: ['ArnEquals', 'ArnLike'], values: without(['arn:aws:sns:us-east-1:${aws:PrincipalAccount}:topic', 'arn:aws:sns:*', 'arn:aws:s3:::bucket'], /\$/) },
  { key: 'aws:PrincipalArn', of: ['ArnEquals', 'ArnNotEquals', 'ArnLike', 'StringLike', 'StringNotLike'], values: [...PRINCIPALS, 'arn:aws:iam::111122223333:*', 'arn:aws:iam::*:role/*'] },
  { key: 'aws:PrincipalOrgID', of: ['StringEquals', 'StringNotEquals', 'Null'], values: ['o-1', 'o-2', 'true', 'false'] }
]

const condition = () => {
  const found = {}
  for (let count = chance(0.7) ? 1 : 2; count > 0; count--) {
    const test = one(TESTS)
    let operator = one(test.of)
    const isNull = operator === 'Null'
    const values = isNull ? one(['true', 'false']) : chance(0.6) ? one(test.values.filter((value) => value !== 'true' || !isNull)) : some(test.values)
    if (!isNull && chance(0.15)) operator += 'IfExists'
    if (!isNull && (test.set || chance(0.05))) operator = `${one(KNOWN && operator.endsWith('IfExists') ? ['ForAllValues'] : ['ForAllValues', 'ForAnyValue'])}:${operator}`
    found[operator] = { ...found[operator], [chance(0.2) ? test.key.toUpperCase().replace('AWS', 'aws') : test.key]: values }
  }
  return found
}

const principalElement = () => {
  const roll = random()
  if (roll < 0.2) return '*'
  if (roll < 0.3) return { AWS: '*' }
  if (roll < 0.4) return { Service: oneOrSome(SERVICES) }
  return { AWS: oneOrSome(NAMED) }
}

const statement = (service, kind) => {
  const found = { Effect: chance(kind === 'rcp' ? 0 : 0.8) ? 'Allow' : 'Deny' }
  found[chance(0.1) && kind !== 'rcp' ? 'NotAction' : 'Action'] = oneOrSome(actionPatterns(service))
  if (!(kind === 'resource' && service === 'sts')) {
    found[chance(0.1) ? 'NotResource' : 'Resource'] = chance(0.5) ? '*' : oneOrSome(RESOURCE_PATTERNS(service))
  }
  if (kind === 'resource') {
    found[chance(0.08) && service !== 'sts' ? 'NotPrincipal' : 'Principal'] = principalElement()
    if (found.NotPrincipal === '*') found.NotPrincipal = { AWS: one(NAMED) }
  }
  if (kind === 'rcp' || kind === 'endpoint') found.Principal = '*'
  if (chance(0.35)) found.Condition = condition()
  return found
}

const policy = (service, kind) => {
  const Statement = chance(0.3) ? statement(service, kind) : Array.from({ length: 1 + Math.floor(random() * 3) }, () => statement(service, kind))
  const isNew = chance(0.85) || (KNOWN && JSON.stringify(Statement).includes('${'))
  return { ...(isNew ? { Version: '2012-10-17' } : chance(0.5) ? { Version: '2008-10-17' } : {}), Statement }
}

const generate = (id) => {
  const service = one(Object.keys(RESOURCES))
  const resource = one(RESOURCES[service])
  const roll = random()
  const principal =
    roll < 0.08 ? { type: 'anonymous' } : roll < 0.16 ? { type: 'service', service: one(SERVICES) } : { type: 'aws', arn: one(PRINCIPALS) }
  const inArn = resource.split(':')[4]
  const context = {}
  for (const [key, values] of Object.entries(KEYS)) if (chance(0.6)) context[key] = one(values)
  if (principal.type === 'aws') {
    const parts = principal.arn.split(':')
    const [kind, name] = parts[5].split('/')
    context['aws:PrincipalAccount'] = parts[4]
    context['aws:PrincipalArn'] = kind === 'assumed-role' ? `arn:aws:iam::${parts[4]}:role/${name === 'deep' ? 'a/b/deep' : name}` : principal.arn
    if (kind === 'user') context['aws:username'] = parts[5].split('/').at(-1)
  }
  const isPerson = principal.type === 'aws'
  const isSession = isPerson && /assumed-role|federated-user|:role\//.test(principal.arn)
  const list = (kind, part, most = 2) => (chance(part) ? Array.from({ length: 1 + Math.floor(random() * most) }, () => policy(service, kind)) : [])
  const levels = (kind, part) => (chance(part) ? Array.from({ length: 1 + Math.floor(random() * 2) }, () => list(kind, 1)) : [])
  return {
    id,
    request: { action: one(ACTIONS[service]), resource, resource_account: inArn || one([OWN, OTHER]), principal, context },
    identity: isPerson ? list('identity', 0.7) : [],
    resource_policy: chance(0.6) ? policy(service, 'resource') : null,
    boundary: isPerson && chance(0.15) ? policy(service, 'identity') : null,
    session: isSession && chance(0.15) ? policy(service, 'identity') : null,
    scps: isPerson ? levels('scp', 0.15) : [],
    rcps: levels('rcp', 0.1),
    endpoint: chance(0.08) ? policy(service, 'endpoint') : null
  }
}

const FULL_RCP = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Principal: '*', Action: '*', Resource: '*' }] }
const prepare = (line) => {
  const { request } = line
  const principal = request.principal.type === 'anonymous' ? anonymousPrincipal : request.principal.arn ?? request.principal.service
  const loaded = (policies) => policies.map((document, index) => loadPolicy(document, { name: `p${index}` }))
  const levelled = (levels, more) => levels.map((level, index) => ({ orgIdentifier: `l${index}`, policies: loaded([...more, ...level]) }))
  return {
    request: new AwsRequestImpl(principal, { resource: request.resource, accountId: request.resource_account }, request.action, new RequestContextImpl(request.context), false),
    sessionPolicy: line.session ? loadPolicy(line.session, { name: 'session' }) : undefined,
    identityPolicies: loaded(line.identity),
    serviceControlPolicies: levelled(line.scps, []),
    resourceControlPolicies: levelled(line.rcps.length ? line.rcps : [[]], [FULL_RCP]),
    resourcePolicy: line.resource_policy ? loadPolicy(line.resource_policy, { name: 'resource' }) : undefined,
    permissionBoundaries: line.boundary ? loaded([line.boundary]) : undefined,
    vpcEndpointPolicies: line.endpoint ? loaded([line.endpoint]) : undefined,
    simulationParameters: { simulationMode: 'Strict', discoveryContextKeyConstraints: new DiscoveryContextKeyConstraints([]) },
    serviceSettings: {}
  }
}
const decide = (prepared) => {
  const result = authorize(prepared)
  return { Allowed: 'allowed', ExplicitlyDenied: 'explicit_deny', ImplicitlyDenied: 'implicit_deny' }[result.result] ?? result.result
}
const theirs = (line) => decide(prepare(line))

// What is known to differ: whether a line is of the kind, and who is right.
const isTrust = (line) => line.request.action.startsWith('sts:') && !line.resource_policy
const DIFFERENCES = [
  {
    why: 'a role without a trust policy: theirs lets the identity decide, AWS demands that the trust policy allows',
    is: (line, our, their) => isTrust(line) && our === 'implicit_deny' && their === 'allowed'
  },
  {
    why: 'a session named by the resource, or everyone: theirs lets the session policy limit it, by the documentation it does not',
    is: (line, our, their) => line.session && line.resource_policy && our === 'allowed' && their === 'implicit_deny'
  },
  {
    why: 'a role, not a session of it, let in by NotPrincipal: theirs lets the boundary limit it, unlike a session',
    is: (line, our, their) =>
      line.boundary && /:role\//.test(line.request.principal.arn) && JSON.stringify(line.resource_policy).includes('NotPrincipal') && our === 'allowed' && their === 'implicit_deny'
  }
]

// Written at once: what `console.log` gives to a pipe is lost when the process exits.
const print = (text) => {
  let rest = Buffer.from(`${text}\n`)
  while (rest.length) {
    try {
      rest = rest.subarray(writeSync(1, rest))
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error
    }
  }
}

const lines = Array.from({ length: Number(count) }, (_, index) => generate(index))
if (program === '-') {
  for (const line of lines) print(JSON.stringify(line))
  process.exit(0)
}
if (program === 'measure') {
  const prepared = lines.map(prepare)
  const found = { requests: prepared.length, allowed: prepared.filter((one) => decide(one) === 'allowed').length, evaluations_per_second: [] }
  for (let round = 0; round < Number(process.argv[6] ?? 7); round++) {
    const [started, before] = [performance.now(), process.cpuUsage()]
    let done = 0
    while (performance.now() - started < 1000) {
      for (const one of prepared) decide(one)
      done += prepared.length
    }
    const { user, system } = process.cpuUsage(before)
    found.evaluations_per_second.push((done * 1e6) / (user + system))
  }
  console.log(JSON.stringify(found))
  process.exit(0)
}
const words = program.endsWith('evaluations') ? ['answer'] : ['access', 'eval', '--batch', '-', '-o', 'ndjson']
const run = spawnSync(resolve(program), words, {
  input: lines.map((line) => JSON.stringify(line)).join('\n'),
  maxBuffer: 1 << 30
})
if (run.error) throw run.error
const ours = run.stdout.toString().trim().split('\n').map((line) => JSON.parse(line))
const tally = new Map()
const add = (key) => tally.set(key, (tally.get(key) ?? 0) + 1)
let unexplained = 0
lines.forEach((line, index) => {
  let their
  try {
    their = theirs(line)
  } catch (error) {
    their = `error: ${error.message}`
  }
  const our = ours[index]?.decision ?? `error: ${ours[index]?.error}`
  if (our === their) return add(`agree: ${our}`)
  const known = DIFFERENCES.find((difference) => difference.is(line, our, their))
  if (known) return add(`known: ${known.why}`)
  unexplained++
  add(`DISAGREE: ours ${our}, theirs ${their}`)
  print(JSON.stringify({ ours: our, by: ours[index]?.by, theirs: their, line }))
})
for (const [key, number] of [...tally].sort()) console.error(`${String(number).padStart(8)}  ${key}`)
process.exit(unexplained ? 1 : 0)
