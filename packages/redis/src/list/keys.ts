const names = {
  high: "ready:2",
  middle: "ready:1",
  low: "ready:0",
  message: "message",
  lease: "lease",
  owner: "owner",
  count: "count",
  delayed: "delayed",
  band: "band",
  latest: "latest",
  done: "done",
  doneOld: "done:old",
  doneSince: "done:since",
  marker: "marker",
  dead: "dead",
  deadMessage: "dead:message",
  deadReason: "dead:reason",
  turn: "turn",
} as const;

/** The keys of one queue, all in one slot of a cluster by their hash tag. The README says what each holds. */
export interface QueueKeys extends Readonly<Record<keyof typeof names, string>> {
  /** In the order in which the scripts get them. */
  readonly all: readonly string[];
  /** The number of the last request of a consumer that got something. */
  readonly requestOf: (consumer: string) => string;
}

export function queueKeys(namespace: string, queue: string): QueueKeys {
  const tag = `{${namespace}:${queue}}`;
  const entries = Object.entries(names).map(([field, name]) => [field, `${tag}:${name}`] as const);
  const keys = Object.fromEntries(entries) as Record<keyof typeof names, string>;
  return { ...keys, all: Object.values(keys), requestOf: (consumer) => `${tag}:request:${consumer}` };
}

/** The set of all queues' names. */
export function registryKey(namespace: string): string {
  return `${namespace}:queues`;
}

/** Gives the keys their names at the head of every script. */
export const keyNames = `
local ready = { [2] = KEYS[1], [1] = KEYS[2], [0] = KEYS[3] }
local messages, lease, owner, count = KEYS[4], KEYS[5], KEYS[6], KEYS[7]
local delayed, band, latest = KEYS[8], KEYS[9], KEYS[10]
local done, done_old, done_since = KEYS[11], KEYS[12], KEYS[13]
local marker, dead, dead_message, dead_reason = KEYS[14], KEYS[15], KEYS[16], KEYS[17]
local turn = KEYS[18]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
-- A write that needs no memory: a script that has begun to write may go on when Redis is full. No id is "".
local function begin_to_write() redis.call('HDEL', latest, '') end
`;
