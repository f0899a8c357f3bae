"""What went wrong in other servers of this wire, by the number that the wire document's section 10 gives it.

DEFECTS are those of the command port: each has a test that carries `@defect(number)`. ELSEWHERE says where the others
will be tested, once that part of the server is there.
"""

DEFECTS: dict[int, str] = {
    7: "A job that takes its worker down with it is handed out for ever.",
    8: "A client that leaves during a waiting pull is given a job that nobody gets.",
    9: "A pull that ends at the moment of a push loses the job, or keeps a slot.",
    11: "Completed jobs and results are forgotten in no order; dependents of a forgotten one wait for ever.",
    12: "A job that is removed on completion never counts as a dependency that is done.",
    14: "CLEAN of completed jobs goes through all queues and knows no grace.",
    16: "A job that outlived its ttl leaves nothing but a key that stays taken.",
    17: "A flow's parent never hears of a child that failed, nor a dependent of its dependency.",
    18: "Debounce, custom id and unique key are looked up and taken in two steps; batches pass them by.",
    19: "A push that is refused opens a debounce window, or shows a custom id without a job.",
    20: "WAITJOB misses failures, takes them for success, or misses what happens while it begins.",
    21: "A job whose dependencies are done still reads as waiting for them and cannot be managed.",
    22: "A delayed job of high priority holds up ready ones.",
    23: "LIFO makes no difference.",
    24: "Empty pulls use up the rate limit, PULLB passes it by, and a concurrency limit begins at zero.",
    25: "An active job that ends by another way than ACK or FAIL keeps its slot or its group.",
    26: "A unique key stays taken when its job died, was discarded, was removed or expired.",
    27: "PROGRESS neither renews the stall clock nor makes an event; timeouts make none either.",
    28: "ACKB makes no events, wakes no waiter, and forgets flows and removal.",
    29: "Counters drift with every cancel, discard, clean and timeout, and pass below zero.",
    30: "A schedule that begins with `*/` is taken for an interval; an entry outlives its limit.",
    34: "`keep_completed_age` and `keep_completed_count` are stored and do nothing.",
    36: "After a frame that is too large the stream is read from the wrong place.",
    37: "An error about a request loses its id, so that its caller waits in vain.",
    38: "A line has no end to its length.",
    39: "PULLB takes memory for any `count` it is told.",
    40: "GETJOBS copies as many jobs as it is asked for.",
    41: "Dependencies are found by copying everything that ever completed, now and then.",
    42: "SUBSCRIBE adds an entry each time, UNSUBSCRIBE takes those of others.",
    43: "Tables that clients fill have no limit: keys and values, custom ids, waiters, windows.",
    44: "Connections and pipelined requests have no limit.",
    46: "A pattern or a counter at its edge brings the server down.",
    47: "Sums of times wrap around.",
    48: "Events for a slow listener are dropped and nobody counts them.",
    55: "Tokens are compared in a time that tells how much is right, and stand in logs.",
}
_STORE, _CLUSTER, _HTTP, _HOOKS, _GRPC = "storage", "cluster", "HTTP", "webhooks", "gRPC"
ELSEWHERE: dict[int, str] = {
    1: _STORE, 2: _STORE, 3: _STORE, 4: _STORE, 5: _STORE, 6: _STORE, 10: _GRPC, 13: _HTTP, 15: _STORE, 31: _CLUSTER,
    32: _CLUSTER, 33: _HTTP, 35: _HOOKS, 45: _HTTP, 49: _HTTP, 50: _GRPC, 51: _HOOKS, 52: _HOOKS, 53: _HOOKS, 54: _HTTP,
    56: _HTTP, 57: "dashboard",
}
