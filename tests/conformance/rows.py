"""THE table of what is asserted of the wire: a row for each behaviour, and for each row one test that names it.

A row's name begins with its section of the wire document; what it says is the contract in our own words. `needs` are
features that not every build serves yet.
"""

from typing import NamedTuple

# Features that this build does not serve. A test that needs one is expected to fail, and fails when it does not:
# whoever builds the feature takes its word away here.
NOT_SERVED: frozenset[str] = frozenset()


class Row(NamedTuple):
    """What one test asserts."""

    says: str
    needs: tuple[str, ...] = ()


ROWS: dict[str, Row] = {
    "2 success: flag": Row("Each successful reply carries `ok` and `success`, both true, and no `error`."),
    "2 error: shape": Row("A refusal has `ok` false and a text in `error`; `code` is a word a program can test."),
    "2 command: unknown name": Row(
        "A name that no command has is refused with the request's id, and the connection goes on."
    ),
    "2.1 Job: keys": Row("Each key of a Job is there from the push on, with its default."),
    "2.1 Job: same everywhere": Row("A Job has these keys wherever it is shown."),
    "2.1 Job: options come back": Row("What a push asked for is what the Job shows."),
    "2.1 Job: state in Jobs": Row("Where a Job shows its state, it is one of the words all clients know."),
    "2.1 Job: progress_message": Row("`progress_message` says the same as `progress_msg`."),
    "2.1 states: life of a job": Row(
        "waiting, active, completed; delayed; failed; unknown when cancelled or never there."
    ),
    "2.1 states: waiting for others": Row(
        "A job that waits for `depends_on` is in the state waiting-children.", ("depends_on",)
    ),
    "2.1 states: flow parent": Row("A flow's parent reads waiting-children until its children are done.", ("flow",)),
    "2.1 state filter: spellings": Row(
        "A filter takes either case, and words with hyphen, underscore or nothing between."
    ),
    "2.1 state filter: unknown word": Row("A word that is no state filters nothing."),
    "2.1 browser item: flat and nested": Row(
        "A listed job shows its keys at the top, its state, and itself again as `job`."
    ),
    "2.1 push options: null is unset": Row("Null in any option of a push means that it was not given."),
    "2.1 push options: aliases": Row("`attempts` and `maxAttempts` are `max_attempts`, `jobId` is `job_id`."),
    "2.1 push options: retention aliases": Row(
        "`keepCompletedAge` and `keepCompletedCount` mean the same in one word.", ("keep_completed",)
    ),
    "2.1 push options: integral floats": Row(
        "A float without a fraction is taken where an integer is wanted; one with, not."
    ),
    "2.1 push options: data left out": Row("A push without `data` carries null, alone and in a batch."),
    "2.1 unknown fields": Row("Fields that no command has are passed over."),
    "2.1 QueueInfo: keys": Row(
        "A listed queue tells name, pending, processing, dlq, paused and both limits, null if unset."
    ),
    "2.1 Metrics: keys": Row(
        "METRICS tells totals, two plain numbers, and each queue's pending, processing, dlq, limit."
    ),
    "2.2 PUSH: id": Row("A push answers with a positive id that JavaScript can hold."),
    "2.2 PUSH: name empty": Row("A queue needs a name."),
    "2.2 PUSH: name too long": Row("A name ends at 256 bytes, whatever it is made of."),
    "2.2 PUSH: name characters": Row("Blanks, slashes, markup, control and other characters are refused."),
    "2.2 PUSH: names that are fine": Row("Letters of any script, digits, underscore, hyphen and dot make names."),
    "2.2 PUSH: data too large": Row("Data over 1 MiB is refused with its size; the limit itself is taken."),
    "2.2 PUSH: unique key duplicate": Row(
        "A second push of a key that is held is refused and names the key.", ("unique_key",)
    ),
    "2.2 PUSH: debounced": Row(
        "A push of the same debounce id in its window is refused and names the id.", ("debounce",)
    ),
    "2.2 PUSH: name before size": Row("Of several faults the queue's name is told first, then the size of the data."),
    "2.2 PUSH: debounce before unique key": Row(
        "Debounce is looked at first, then the custom id, then the unique key.", ("debounce", "unique_key")
    ),
    "2.2 PUSH: counter": Row("Each push is counted by METRICS."),
    "2.2 PUSHB: ids in order": Row("A batch answers with as many ids as jobs, ascending in their order."),
    "2.2 PUSHB: empty": Row("An empty batch succeeds with no ids."),
    "2.2 PUSHB: too many": Row("More than 1000 jobs are refused, all of them."),
    "2.2 PUSHB: bad name": Row("A batch for a name that is none is refused."),
    "2.2 PUSHB: items that are refused": Row("A bad item is left out, and told by its index; the others are taken."),
    "2.2 PUSHB: custom ids": Row(
        "An item of a known custom id answers with that job's id in its place, in one batch too."
    ),
    "2.2 PUSHB: unique keys": Row("An item whose unique key is held is left out and told.", ("unique_key",)),
    "2.2 PUSHB: debounced items": Row("An item in the window of its debounce id is left out and told.", ("debounce",)),
    "2.2 PUSHB: options of items": Row("Each item has options of its own."),
    "2.2 PULL: job": Row("A pull hands out the next job, active from now on, with start and heartbeat set."),
    "2.2 PULL: nothing in time": Row("Without a job the answer is null when the time has passed."),
    "2.2 PULL: waits": Row("A waiting pull gets a job as soon as one is pushed; without `timeout` it waits too."),
    "2.2 PULLB: up to count": Row("A batch pull takes what there is, `count` at most, in order."),
    "2.2 PULLB: nothing in time": Row("Without a job there is an empty list, and `job` null beside it."),
    "2.2 PULLB: count 0": Row("Asking for none is answered at once with none."),
    "2.2 PULLB: waits for the first": Row("A waiting batch pull answers with the first job that comes."),
    "2.2 PULL: several queues in order": Row(
        "With `queues` each job comes from the first of them that has one to give.", ("several_queues",)
    ),
    "2.2 PULL: several queues by weight": Row(
        "With `weights` too, jobs come from all of them, more from the heavier one.", ("several_queues",)
    ),
    "2.2 PULL: several queues waited for": Row(
        "A pull of several queues waits in all of them, and takes one job in all.", ("several_queues",)
    ),
    "2.2 PULL: queue or queues": Row(
        "A pull without or with both is refused, and so are lists that mean nothing.", ("several_queues",)
    ),
    "2.2 ACK: done": Row("An acknowledged job is completed and its result kept."),
    "2.2 ACK: not active": Row("Only an active job can be acknowledged, and only once."),
    "2.2 ACKB: count": Row(
        "A batch acknowledgement tells how many were active, in `ids` and in `count`; others do no harm."
    ),
    "2.2 FAIL: retried": Row("A failed attempt is counted, its text kept, and the job waits again."),
    "2.2 FAIL: not active": Row("Only an active job can fail."),
    "2.2 PARTIAL: active": Row(
        "A part of a result is taken for an active job, with and without its index.", ("partial",)
    ),
    "2.2 PARTIAL: not active": Row("For other jobs it is refused.", ("partial",)),
    "2.3 GETRESULT: never an error": Row(
        "An unknown job, one that is not done, or one without a result has the result null."
    ),
    "2.3 GETJOB: job and state": Row("A job is shown with its state; an unknown one is null and `unknown`."),
    "2.3 GETSTATE: id and state": Row("The state comes with the id that was asked for."),
    "2.3 GETJOBBYCUSTOMID: both names": Row("A job is found by its custom id, given as `job_id` or as `customId`."),
    "2.3 GETJOBBYCUSTOMID: none": Row("A custom id that nobody has gives null and `unknown`."),
    "2.3 GETJOBSBATCH: order": Row("The jobs that there are come in the order of the request."),
    "2.3 WAITJOB: already done": Row("Waiting for a completed job ends at once with its result.", ("waitjob",)),
    "2.3 WAITJOB: result of another's ACK": Row(
        "Who waits hears the result when another connection acknowledges.", ("waitjob",)
    ),
    "2.3 WAITJOB: time is up": Row("After its time the wait ends in an error that names job and time.", ("waitjob",)),
    "2.3 WAITJOB: unknown job": Row("An unknown job is not waited for.", ("waitjob",)),
    "2.3 WAITJOB: failed": Row("A dead letter ends the wait in an error, before and while one waits.", ("waitjob",)),
    "2.3 WAITJOB: cancelled": Row("A cancelled job ends the wait in an error.", ("waitjob",)),
    "2.3 GETPROGRESS: object and message": Row(
        "Progress is an object of id, number and message; the message stands above too."
    ),
    "2.3 GETPROGRESS: unknown": Row("An unknown job has no progress."),
    "2.3 GETLOGS: oldest first": Row("A log comes oldest first, asked for by `id` or by `job_id`."),
    "2.3 GETLOGS: unknown": Row("An unknown job has an empty log."),
    "2.3 GETCHILDREN: children of a flow": Row(
        "A flow's children are listed with how many there are and are done.", ("flow",)
    ),
    "2.3 GETCHILDREN: no such parent": Row("What is no flow's parent is refused.", ("flow",)),
    "2.3 GETJOBS: pages": Row(
        "Jobs come newest first in pages of `limit` from `offset` on; `total` counts all matches."
    ),
    "2.3 GETJOBS: states": Row("A state filters exactly, in page and total; completed jobs are listed too."),
    "2.3 GETJOBS: defaults": Row("Without `limit` a page has 100 jobs, and never more than 1000."),
    "2.3 GETJOBS: all queues": Row("Without `queue` the jobs of every queue are listed."),
    "2.3 COUNT: waiting and delayed": Row("COUNT is of jobs that wait or are delayed, not of the others."),
    "2.3 GETJOBCOUNTS: both places": Row("Counts by state stand at the top and again in `counts`."),
    "2.4 CANCEL: removes": Row("A waiting, delayed or active job is gone at once, its custom id free."),
    "2.4 CANCEL: ended jobs": Row("What has completed or failed for good cannot be cancelled."),
    "2.4 CANCEL: unknown": Row("An unknown job cannot be cancelled."),
    "2.4 CANCEL: waiting for others": Row(
        "A job that waits for others can be cancelled, a flow's parent too.", ("depends_on", "flow")
    ),
    "2.4 PROGRESS: capped, message cleared": Row(
        "Over 100 counts as 100, a fraction is rounded down, null clears the message."
    ),
    "2.4 PROGRESS: not active": Row("Only an active job has progress to report."),
    "2.4 HEARTBEAT: both names": Row("A heartbeat of an active job moves its last heartbeat, by `id` or `job_id`."),
    "2.4 HEARTBEAT: not active": Row("Only an active job has a heartbeat."),
    "2.4 LOG: kept": Row("A log keeps the newest 100 lines; `level` is info unless given, null included."),
    "2.4 LOG: unknown": Row("An unknown job has no log to add to."),
    "2.4 CHANGEPRIORITY: every living state": Row(
        "The new priority shows and counts for waiting, delayed, active and failed jobs."
    ),
    "2.4 CHANGEPRIORITY: order": Row("A waiting job takes its place by the new priority."),
    "2.4 CHANGEPRIORITY: ended or unknown": Row("A completed or unknown job has none to change."),
    "2.4 MOVETODELAYED: active to delayed": Row(
        "An active job goes back for `delay`, start and progress cleared, attempts kept."
    ),
    "2.4 MOVETODELAYED: comes back": Row("After its delay the job is handed out again."),
    "2.4 MOVETODELAYED: not active": Row("Only an active job can be moved."),
    "2.4 PROMOTE: ready now": Row("A delayed job is ready at once."),
    "2.4 PROMOTE: not delayed": Row("Other jobs are refused, with words that clients look for."),
    "2.4 UPDATEJOB: every living state": Row("New data shows, and is delivered, by UPDATEJOB and by UPDATE."),
    "2.4 UPDATEJOB: unknown, too large": Row("It is refused for an unknown job and for data over the limit."),
    "2.4 UPDATEJOB: waiting for others": Row(
        "Jobs that wait for others can be updated and given a priority.", ("depends_on",)
    ),
    "2.4 DISCARD: dead letter": Row(
        "A waiting, delayed or active job becomes a dead letter, its attempts as they were."
    ),
    "2.4 DISCARD: ended or unknown": Row("What has ended cannot be discarded."),
    "2.5 DLQ: oldest first": Row("Dead letters come in the order of their deaths, `count` at most, 100 unless given."),
    "2.5 RETRYDLQ: all": Row("All dead letters wait again, attempts at 0 and all else kept; the number is told twice."),
    "2.5 RETRYDLQ: one": Row("With an id only that one goes; an unknown one is none."),
    "2.5 PURGEDLQ: for good": Row("Dead letters are removed and counted; nothing else goes."),
    "2.6 PAUSE, RESUME, ISPAUSED": Row("A paused queue delivers nothing, says so, and goes on when it is resumed."),
    "2.6 limits: shown": Row("RATELIMIT and SETCONCURRENCY show in LISTQUEUES until they are cleared."),
    "2.6 LISTQUEUES: what is listed": Row(
        "A queue with jobs of any living state, dead letters or a setting is listed."
    ),
    "2.6 CLEAN: state needed": Row("CLEAN wants one of four states, in either case."),
    "2.6 names are checked": Row("What steers a queue takes the names that PUSH takes, and no others."),
    "2.7 CRON: listed": Row("An entry is listed with all its keys, under `crons` and `jobs`, and gone when deleted."),
    "2.7 CRON: schedules taken": Row(
        "Six fields, five fields, `*/N` alone, and steps in the first field are schedules."
    ),
    "2.7 CRON: refusals": Row("Without a time, with one too long, or with one that cannot be read, it is refused."),
    "2.7 CRON: replaced": Row("An entry of the same name takes the other's place."),
    "2.7 CRON: options": Row(
        "Push options beside the entry or in `options` are those of its jobs; unknown ones do no harm."
    ),
    "2.7 CRON: every option of a push": Row("The options of a push stand beside an entry, under all their names."),
    "2.7 CRON: options that link jobs": Row(
        "Keys, windows, groups, dependencies and retention do so too.",
        ("unique_key", "debounce", "depends_on", "group", "keep_completed")
    ),
    "2.8 STATS: whole server and queues": Row("STATS counts the server's jobs, and each queue's under its name."),
    "2.8 METRICS: totals grow": Row("Pushed, completed and failed jobs are counted."),
    "2.9 FLOW: parent and children": Row(
        "A flow answers with its parent's id and the children's in their order.", ("flow",)
    ),
    "2.9 FLOW: no children": Row("A flow without children is refused.", ("flow",)),
    "2.9 FLOW: push options": Row("Parent and children take all options of a push, null meaning unset.", ("flow",)),
    "2.9 FLOW: other names of options": Row("The parent takes options under all their names.", ("flow",)),
    "2.10 SUBSCRIBE: taken": Row(
        "SUBSCRIBE and UNSUBSCRIBE are acknowledged; nothing comes to who did not say HELLO push."
    ),
    "2.10 SUBSCRIBE: events": Row(
        "Who said HELLO push is sent the queue's events, of the kinds asked for.", ("events",)
    ),
    "2.10 SUBSCRIBE: all kinds": Row(
        "Pushes, of batches too, progress and parts of a result are events as well.", ("events", "partial")
    ),
    "2.10 UNSUBSCRIBE: one's own": Row("It takes back this connection's wish and nobody else's.", ("events",)),
    "2.11 AUTH: no tokens set": Row("Where no tokens are set any token is welcome, with `success` true."),
    "2.11 PING": Row("PING answers pong and gives the request's id back."),
    "2.12 KVSET, KVGET": Row("Any value comes back as it was set; what is not there is null."),
    "2.12 KVSET: refusals": Row("A key needs 1 to 1024 bytes, a value at most 10 MiB."),
    "2.12 KVDEL, KVEXISTS": Row("Both say whether the key was there."),
    "2.12 KVMSET, KVMGET": Row(
        "Many keys at once: bad entries are passed over, values come in the order of the request."
    ),
    "2.12 KVTTL, KVEXPIRE": Row("Time to live in ms, -1 for ever, -2 not there; a key that ran out is gone."),
    "2.12 KVKEYS": Row("`*` is any run of characters and `?` one; nothing else is special."),
    "2.12 KVINCR": Row("A counter begins at `by`, null counts as 0, and what is no integer is refused."),
    "2.13 PUB, SUB, PSUB": Row("A message goes to who listens to its channel or a pattern; lists are echoed."),
    "2.13 PUBSUBCHANNELS, PUBSUBNUMSUB": Row("Channels that somebody listens to, and how many do, as pairs."),
    "3.1 ids: ascending": Row("Ids grow within a queue, in batches too, and are never given twice."),
    "3.1 custom id: idempotent push": Row(
        "While its job lives, also dead, a custom id answers with that job, in any queue."
    ),
    "3.1 custom id: free again": Row("When its job has completed or is gone, a custom id makes a new job."),
    "3.1 custom id: checks come first": Row("Name and size are checked before a known custom id answers."),
    "3.2 order: priority": Row("Greater priority first."),
    "3.2 order: first in, first out": Row("Equals come in the order of their pushes."),
    "3.2 order: due time before age": Row("Of equals that were due at other times the earlier due comes first."),
    "3.2 order: lifo": Row("Ready lifo jobs go newest first, ahead of others of their priority, after higher ones."),
    "3.2 order: only ready jobs": Row("A delayed job of high priority does not hold up others."),
    "3.3 delay": Row("A delayed job is not delivered before its time, and wakes a waiting pull then."),
    "3.3 ttl": Row("A job that nobody took in its time is gone, its custom id free; an active one stays."),
    "3.3 ttl: unique key": Row("The key of a job that outlived its time is free.", ("unique_key",)),
    "3.3 timeout: retried": Row("An attempt over its time counts as failed and is retried, with a text that says so."),
    "3.3 timeout: last attempt": Row("The last attempt over its time makes a dead letter; a late ACK is refused."),
    "3.4 failure: dead after max_attempts": Row(
        "The last of `max_attempts` failures makes a dead letter, counted as failed."
    ),
    "3.4 failure: without limit": Row("Without `max_attempts` a job is retried for ever."),
    "3.4 failure: backoff doubles": Row("A retry waits twice as long each time: backoff times two to the attempts."),
    "3.4 failure: without backoff": Row("Without backoff a retry is ready at once, at its old place."),
    "3.4 failure: what a retry keeps": Row("Start is cleared, progress kept, and the text of the failure shown."),
    "3.4 failure: remove_on_fail": Row("With `remove_on_fail` the last failure removes the job."),
    "3.4 failure: remove_on_fail and key": Row(
        "Its unique key is free then; a dead letter's is when it is purged.", ("unique_key",)
    ),
    "3.4 failure: sums end at the top": Row(
        "Delay, backoff, ttl and timeout as large as can be neither wrap nor fail."
    ),
    "3.5 stall: taken back": Row("A missed `stall_timeout` gives the job to another worker; the late ACK is refused."),
    "3.5 stall: third loss": Row("At its third missed heartbeat a job becomes a dead letter, attempts as they were."),
    "3.5 stall: kept alive": Row("HEARTBEAT and PROGRESS renew the time; the job is not taken back."),
    "3.5 stall: no limit without one": Row("Without `stall_timeout` a live connection keeps its job."),
    "3.6 unique key: released": Row("ACK, ACKB, CANCEL and CLEAN free a key.", ("unique_key",)),
    "3.6 unique key: held": Row("A key is held while its job waits, runs, or is retried.", ("unique_key",)),
    "3.6 unique key: discarded": Row("A discarded job's key is free at the latest when it is purged.", ("unique_key",)),
    "3.6 unique key: retried dead letter": Row(
        "A dead letter that is retried and done leaves its key free.", ("unique_key",)
    ),
    "3.6 debounce: window": Row(
        "A window closes by itself; a refused push does not prolong it; the job's end does not end it.", ("debounce",)
    ),
    "3.6 debounce: scope": Row(
        "Windows are of a queue and an id; without `debounce_ttl` they last 5 s.", ("debounce",)
    ),
    "3.6 debounce: only on success": Row(
        "A push that is refused for another reason opens no window.", ("debounce", "unique_key")
    ),
    "3.7 depends_on: released at once": Row(
        "The last dependency's ACK makes the job ready, and state and CANCEL know it.", ("depends_on",)
    ),
    "3.7 depends_on: done before": Row(
        "Dependencies that are done already count, removed on completion or not.", ("depends_on",)
    ),
    "3.7 depends_on: delay goes on": Row("A released job keeps the due time of its push.", ("depends_on",)),
    "3.7 depends_on: failed dependency": Row(
        "A dead dependency keeps the job waiting until it is retried and done.", ("depends_on",)
    ),
    "3.7 depends_on: in batches": Row(
        "Items of a batch have dependencies of their own, numbers or an empty list.", ("depends_on",)
    ),
    "3.7 flow: children complete": Row(
        "The last child's ACK, or ACKB, makes the parent ready, with a line in its log.", ("flow",)
    ),
    "3.7 flow: a child that died": Row("The parent waits until the child is retried and done.", ("flow",)),
    "3.7 group: one at a time": Row(
        "Of a group one job is active at a time, in queue order; other jobs go on.", ("group",)
    ),
    "3.7 group: every ending frees it": Row("However a group's active job ends, the next may run.", ("group",)),
    "3.8 rate: first a full budget": Row("As many as the limit go at once, then no more; PULLB obeys too."),
    "3.8 rate: refilled evenly": Row(
        "At 10 a second, 30 cycles of pull and ACK last at least half of 2.9 s, by the server's clock."
    ),
    "3.8 rate: only delivered jobs count": Row("Pulls that find nothing cost no budget."),
    "3.8 rate: limit 0": Row("A limit of 0 lets nothing through."),
    "3.8 concurrency: counts what is active": Row("No more than the limit are active, those from before included."),
    "3.8 concurrency: every ending frees a slot": Row("However an active job ends, a waiting pull gets the next."),
    "3.8 pause: pulls wait": Row("Pulls of a paused queue wait and are woken by RESUME; pushes, ACK and FAIL go on."),
    "3.9 ACK: no result": Row("Without a result, or with null, there is none."),
    "3.9 ACK: remove_on_complete": Row(
        "With `remove_on_complete` nothing is kept: no state, result or log; ACKB does the same."
    ),
    "3.9 ACK: frees its custom id and key": Row("A completed job's unique key is free.", ("unique_key",)),
    "3.9 keep_completed_age": Row("A job is kept whole for its own time, whatever completes.", ("keep_completed",)),
    "3.9 keep_completed_count": Row(
        "So it is while among the newest so many of its queue.", ("keep_completed",)
    ),
    "3.9 completed jobs are listed": Row("Completed jobs show among a queue's jobs, with the time of their end."),
    "3.10 defaults: an explicit 0": Row(
        "A 0 that a push, a flow or an entry says is its own: no default of the server takes its place."
    ),
    "3.11 cron: repeat_every": Row(
        "An interval fires first when it has passed once, then again and again, with data and priority."
    ),
    "3.11 cron: repeat_every wins": Row("With both, the interval counts and not the schedule."),
    "3.11 cron: limit": Row("After its last job an entry is gone at once."),
    "3.11 cron: next_run": Row("A schedule's next run is a whole second after now."),
    "3.12 DRAIN": Row("Waiting and delayed jobs go and are counted; active jobs, dead letters and settings stay."),
    "3.12 DRAIN: unique keys": Row("The keys of drained jobs are free.", ("unique_key",)),
    "3.12 CLEAN: one state": Row("Only jobs of the state named go, and only those of this queue."),
    "3.12 CLEAN: grace and limit": Row("Younger jobs than `grace` stay; `limit` ends it, 0 and null do not."),
    "3.12 CLEAN: failed, oldest first": Row("Of dead letters the oldest go first."),
    "3.12 OBLITERATE": Row("All jobs go and are counted, settings and cron entries too; a late ACK is refused."),
    "3.12 OBLITERATE: keys, windows, groups": Row(
        "Unique keys, debounce windows and group slots of the queue are free.", ("unique_key", "debounce", "group")
    ),
    "3.12 OBLITERATE: waiting for others": Row(
        "Jobs that wait for others and flow parents go too.", ("depends_on", "flow")
    ),
    "3.13 waiting pull: at once": Row("Several waiting pulls are served in turn as jobs come."),
    "3.13 waiting pull: client gone": Row("A pull whose client hung up takes no job."),
    "12 payloads": Row(
        "Nested, float, null, boolean and large payloads come back as they were, in the other format too."
    ),
    "12 half a megabyte": Row("A payload of 500 kB survives."),
    "12 1.1 MB": Row("A string of 1.1 MB is refused with words that clients look for."),
    "12 names of all kinds": Row("300 characters, blanks, slashes, markup, NUL and newline are no names."),
    "12 retry": Row("Of three attempts with backoff 100 the third delivery shows two failures."),
    "12 retryDlq of a hundred": Row("A hundred dead letters are retried and counted."),
    "12 unique key under pressure": Row(
        "Of fifty pushes of one key at the same time one is accepted.", ("unique_key",)
    ),
    "12 concurrency of workers": Row("With a limit of 5, ten workers never have more than 5 jobs among them."),
    "12 drain and counts": Row("Counts by state are exact, and DRAIN leaves the active job alone."),
    "12 clean failed": Row("CLEAN of failed jobs with grace 0 empties the dead letters."),
    "12 fifty connections": Row("Fifty rounds of connect, push, pull and hanging up go well."),
    "12 ten thousand jobs": Row("Ten thousand jobs in batches are all delivered once and done."),
    "12 time of an empty pull": Row(
        "A pull of 1000 ms on an empty queue returns after 0.8 s at the earliest, by the server's clock."
    ),
    "12 delivered no more": Row("Cancelled, discarded and acknowledged jobs are delivered no more."),
    "12 paused queue is listed": Row("LISTQUEUES shows a paused queue with a job as paused."),
    "12 request ids": Row("An id comes back as it was sent, first, in errors too; null and none mean none."),
    "12 waits overtaken": Row(
        "A waiting pull with an id lets later requests pass; without ids answers keep their order."
    ),
    "13 fields by job_id": Row("LOG, GETLOGS and HEARTBEAT take the job as `job_id` as well as `id`."),
    "13 ids by job_id": Row("So does every other command that is about one job."),
    "13 clean without limit": Row("CLEAN's `limit` 0 and null mean no limit."),
    "beyond depends_on: policy of failure": Row(
        "A push says whether its job waits, fails or runs when a dependency is dead.", ("depends_on", "parent_policy")
    ),
    "beyond groups: so many at a time": Row("SETGROUPS lets more jobs of a group be active at once, or fewer again."),
    "beyond groups: fair": Row("With `fair` groups take turns: the flood of one does not delay the others."),
    "beyond groups: rate": Row("With `group_rate` no group has more jobs delivered at once than that."),
    "beyond push_key: once": Row(
        "A push with a key that is sent again is answered as before, whatever became of its job.", ("push_key",)
    ),
    "beyond push_key: of a batch": Row(
        "So is a batch, and an item of it that was refused is tried again.", ("push_key", "unique_key")
    ),
    "beyond push_key: another push": Row("A key that another push was made with is refused and named.", ("push_key",)),
    "beyond on_duplicate: existing": Row(
        "A push whose unique key is held may ask for the id of the job that holds it.", ("on_duplicate", "unique_key")
    ),
    "beyond on_duplicate: replace": Row(
        "It may give that job its payload, until a worker has it.", ("on_duplicate", "unique_key")
    ),
    "beyond receipt: what a change survives": Row(
        "A change says, when asked, what it survives and where it stands; later ones stand further on."
    ),
    "beyond durability: more than the server gives": Row(
        "A push may ask for more than the server promises; one that keeps nothing refuses, and names the field."
    ),
    "beyond SYNC: on disk": Row("SYNC answers once all up to a position is on disk, and refuses one not reached."),
    "beyond names: what a worker asks for": Row("A pull with `names` gets jobs of these names, or without a name."),
    "beyond names: versions": Row("A job of a newer version than a worker can run goes to another one."),
    "beyond EXPLAIN: why not": Row(
        "EXPLAIN says why a job does not run: paused, delayed, or behind others.", ("explain",)
    ),
    "beyond METRICS: times and workers": Row(
        "METRICS tells of each queue who works for it, and percentiles of how long its jobs wait and take."
    ),
    "beyond WORKERS: who works": Row("WORKERS lists who holds jobs of a queue or waits for some."),
}
