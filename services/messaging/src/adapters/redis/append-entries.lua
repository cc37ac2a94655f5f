-- Appends entries in order and stops at the first that Redis refuses: a pipeline would go on behind it, and a
-- conversation's later message would stand on the stream before the earlier one.
--
-- KEYS[1]  the stream
-- ARGV[1]  MAXLEN; ARGV[2] how many arguments each entry has; then the entries: name, value, name, value, …
-- Returns { how many were appended, the error's text if one was refused }.
local width = tonumber(ARGV[2])
local appended = 0
for first = 3, #ARGV, width do
  local reply = redis.pcall('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', unpack(ARGV, first, first + width - 1))
  if type(reply) == 'table' and reply.err then
    return { appended, reply.err }
  end
  appended = appended + 1
end
return { appended }
