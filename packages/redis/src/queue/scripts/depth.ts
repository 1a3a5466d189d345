/** Answers ready, delayed, running and dead. What is due counts as ready, though nobody has looked for it yet. */
export const depth = `
local due = redis.call('ZCOUNT', delayed, '-inf', now)
local ended = redis.call('ZCOUNT', lease, '-inf', now)
return {
  waiting() + due + ended,
  redis.call('ZCARD', delayed) - due,
  redis.call('ZCARD', lease) - ended,
  redis.call('ZCARD', dead)
}`;
