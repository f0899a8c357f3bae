"""One function a hot command: check, change, record, reply."""
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memset, strlen

from flashq._core.ahead cimport items_ahead
from flashq._core.edges cimport command_tells
from flashq._core.events cimport event_progress
from flashq._core.failing cimport losses_forgive
from flashq._core.job cimport ENDED_FAILED, Job
from flashq._core.jobs cimport job_active, job_create, job_set_message
from flashq._core.lifecycle cimport FailOrder, job_beat, job_complete, job_fail
from flashq._core.lanes cimport wanted_read
from flashq._core.manage cimport manage_execute
from flashq._core.peers cimport peer_replied
from flashq._core.pulled cimport pulled_note, pulled_several
from flashq._core.pushkeys cimport push_key_answers, push_key_open, push_key_settle
from flashq._core.queue cimport queue_name_check, queue_open
from flashq._core.receipt cimport replied
from flashq._core.records cimport record_frame_end, record_state
from flashq._core.request cimport (
    BIT_DATA, BIT_DURABILITY, BIT_ERROR, BIT_FAIL_RETRY, BIT_MESSAGE, BIT_PUSH_KEY, BIT_QUEUE, BIT_QUEUES, BIT_RELEASE,
    BIT_RESULT, BIT_RETRY_AFTER, BIT_TIMEOUT, BIT_TOKEN, BIT_TOKENS, KIND_IDS, MAX_BATCH, OP_ACK, OP_ACKB, OP_FAIL,
    OP_HEARTBEAT, OP_PROGRESS, OP_PULL, OP_PULLB, OP_PUSH, OP_PUSHB, Failure, Format, PushItem, Slice, has,
)
from flashq._core.room cimport room_check
from flashq._core.several cimport choosy, several, several_asked, several_now, several_open
from flashq._core.state cimport DURABLE_NOT, PushKey, Queue, Wanted
from flashq._core.status cimport (
    BAD_TYPE, BATCH_TOO_LARGE, CONTRADICTION, DATA_TOO_LARGE, DEBOUNCED, DUPLICATE_KEY, JOB_NOT_FOUND,
    MISSING_FIELD, NOT_DURABLE, NOT_IN_PROCESSING, NOT_PROCESSING, OK, PARTLY, PUSH_KEY_TAKEN, STALE_TOKEN,
)
from flashq._core.waiters cimport pull_now, waiter_park, waiters_serve
from flashq._core.wire cimport wire_count, wire_id, wire_ids, wire_no_job, wire_ok

cdef enum:
    FULL_PROGRESS = 100         # percent


cdef int hot_execute(Core* core, Peer* peer, Request* request) noexcept nogil:
    cdef int status
    cdef int op = request.op
    if op == OP_PUSH:
        status = push(core, peer, request)
    elif op == OP_PUSHB:
        status = push_batch(core, peer, request)
    elif op == OP_PULL:
        status = pull(core, peer, request, 1, False)
    elif op == OP_PULLB:
        status = pull(core, peer, request, request.count, True)
    elif op == OP_ACK:
        status = ack(core, peer, request)
    elif op == OP_ACKB:
        status = ack_batch(core, peer, request)
    elif op == OP_FAIL:
        status = fail(core, peer, request)
    elif op == OP_PROGRESS:
        status = progress(core, peer, request)
    elif op == OP_HEARTBEAT:
        status = heartbeat(core, peer, request)
    else:
        status = manage_execute(core, peer, request)
    if core.first_told != NULL:
        command_tells(core)
    if core.serve != NULL:
        waiters_serve(core)
    if core.recording:
        record_frame_end(core)
    return status


cdef inline int problem(Request* request, int status, uint64_t number) noexcept nogil:
    request.problem_number = number
    return status


cdef int contradiction(Request* request, const char* field, const char* other) noexcept nogil:
    """Of the two only one may be given."""
    request.problem_field = field
    request.problem_text = Slice(<const uint8_t*>other, <uint32_t>strlen(other), 0)
    return CONTRADICTION


cdef inline int push_check(Core* core, Request* request) noexcept nogil:
    """Whether there is room for it, and its promise can be kept."""
    cdef int status = room_check(core)
    if status != OK and not push_key_answers(core, request):
        return problem(request, status, core.limits.memory)
    if has(&request.item, BIT_DURABILITY) and request.durability > core.durability == DURABLE_NOT:
        return problem(request, NOT_DURABLE, request.durability)
    return OK


cdef int push(Core* core, Peer* peer, Request* request) noexcept nogil:
    cdef Queue* queue
    cdef uint64_t id, shown
    cdef size_t at = peer.out.size
    cdef int status
    status = push_check(core, request)
    if status != OK:
        return status
    if has(&request.item, BIT_DATA) and request.item.data.size > core.limits.job_size:
        status = queue_name_check(request.queue.ptr, request.queue.size)    # of two faults the name is told first
        return problem(request, DATA_TOO_LARGE if status == OK else status, request.item.data.size)
    status = queue_open(core, &request.queue, &queue)
    if status != OK:
        return problem(request, status, core.limits.queue_names)
    if keyed(request):
        status = push_keyed(core, queue, request, &id, &shown)
    else:
        status = job_create(core, queue, &request.item, request.format, &id, &shown)
    if status != OK:
        request.problem_text = request.push_key if status == PUSH_KEY_TAKEN else refused_text(&request.item, status)
        return status
    wire_id(peer.format, &peer.out, &request.req_id, id)
    replied(core, peer, request, at, shown)
    return OK


cdef inline int answer_ok(Core* core, Peer* peer, const Request* request) noexcept nogil:
    """Of what was just changed."""
    cdef size_t at = peer.out.size
    wire_ok(peer.format, &peer.out, &request.req_id)
    replied(core, peer, request, at, core.position)
    return OK


cdef inline bint keyed(const Request* request) noexcept nogil:
    return has(&request.item, BIT_PUSH_KEY) and request.push_key.size != 0


cdef int push_keyed(Core* core, Queue* queue, Request* request, uint64_t* id, uint64_t* shown) noexcept nogil:
    """As job_create, once for each key."""
    cdef PushKey* key
    cdef uint32_t taken = 0
    cdef int status = push_key_open(core, queue, &request.push_key, False, 1, &key)
    if status != OK:
        return status
    if key.ids[0] == 0:
        status = job_create(core, queue, &request.item, request.format, id, shown)
        if status == OK:
            key.ids[0] = id[0]
            taken = 1
        push_key_settle(core, key, taken)
        if status != OK:
            return status                   # the key is gone
    id[0], shown[0] = key.ids[0], key.position
    return OK


cdef int push_batch(Core* core, Peer* peer, Request* request) noexcept nogil:
    cdef Queue* queue
    cdef size_t at = peer.out.size
    cdef int status
    if request.item_count > MAX_BATCH:
        return problem(request, BATCH_TOO_LARGE, request.item_count)
    status = push_check(core, request)
    if status != OK:
        return status
    status = queue_open(core, &request.queue, &queue)
    if status != OK:
        return problem(request, status, core.limits.queue_names)
    outcome.made = outcome.refused = 0
    outcome.shown = core.committed
    if keyed(request):
        status = push_items_keyed(core, queue, request)
        if status != OK:
            request.problem_text = request.push_key
            return status
    else:
        push_items(core, queue, request)
    if outcome.refused:
        return PARTLY
    wire_ids(peer.format, &peer.out, &request.req_id, outcome.ids, outcome.made)
    replied(core, peer, request, at, outcome.shown)
    return OK


cdef void push_items(Core* core, Queue* queue, Request* request) noexcept nogil:
    cdef uint64_t shown
    cdef uint32_t i
    cdef uint32_t looked = 0
    cdef int status
    while looked < request.item_count:
        i = looked
        looked = items_ahead(core, queue, request.items, i, request.item_count)
        while i < looked:
            status = push_item(core, queue, &request.items[i], request.format, &shown)
            if status != OK:
                refuse_item(&request.items[i], i, status)
            elif shown > outcome.shown:
                outcome.shown = shown
            i += 1


cdef int push_items_keyed(Core* core, Queue* queue, Request* request) noexcept nogil:
    """As push_items, but what an earlier push with this key took is taken already."""
    cdef PushKey* key
    cdef uint64_t shown
    cdef uint32_t i, looked = 0, taken = 0
    cdef int status = push_key_open(core, queue, &request.push_key, True, request.item_count, &key)
    if status != OK:
        return status
    for i in range(request.item_count):
        if i == looked:
            looked = items_ahead(core, queue, request.items, i, request.item_count)
        if key.ids[i]:
            outcome.ids[outcome.made] = key.ids[i]
            outcome.made += 1
            continue
        status = push_item(core, queue, &request.items[i], request.format, &shown)
        if status == OK:
            key.ids[i] = outcome.ids[outcome.made - 1]
            taken += 1
        else:
            refuse_item(&request.items[i], i, status)
    push_key_settle(core, key, taken)
    if outcome.made:
        outcome.shown = key.position        # of the record that came after all of theirs
    return OK


cdef inline int push_item(Core* core, Queue* queue, PushItem* item, Format format, uint64_t* shown) noexcept nogil:
    cdef int status
    if has(item, BIT_DATA) and item.data.size > core.limits.job_size:
        outcome.failures[outcome.refused].number = item.data.size
        return DATA_TOO_LARGE
    status = job_create(core, queue, item, format, &outcome.ids[outcome.made], shown)
    if status == OK:
        outcome.made += 1
    return status


cdef void refuse_item(PushItem* item, uint32_t index, int status) noexcept nogil:
    cdef Failure* failure = &outcome.failures[outcome.refused]
    failure.index, failure.status = index, status
    failure.text = refused_text(item, status)
    outcome.refused += 1


cdef Slice refused_text(PushItem* item, int status) noexcept nogil:
    """The user's own words that the error text repeats; ptr NULL for none."""
    cdef Slice text
    memset(&text, 0, sizeof(text))
    if status == DUPLICATE_KEY:
        text = item.unique_key
    elif status == DEBOUNCED:
        text = item.debounce_id
    return text


cdef int pull(Core* core, Peer* peer, Request* request, uint64_t count, bint many) noexcept nogil:
    cdef const Wanted* wanted = NULL
    cdef Queue* queue
    cdef int given = 0
    cdef int status
    if choosy(request):
        status = wanted_read(core, request, &wanted)
        if status != OK:
            return status
        if several_asked(request):
            return pull_several(core, peer, request, count, many, wanted)
    if not has(&request.item, BIT_QUEUE):
        request.problem_field = "queue"
        return MISSING_FIELD
    status = queue_open(core, &request.queue, &queue)
    if status != OK:
        return problem(request, status, core.limits.queue_names)
    pulled_note(core, peer, queue)
    if count > MAX_BATCH:
        count = MAX_BATCH
        request.count = count
    # Who waits in front has had a look at jobs with names, and did not take them.
    if not core.closing and count and (queue.first_waiter == NULL or queue.first_lane != NULL):
        given = pull_now(core, queue, peer, &request.req_id, <uint32_t>count, many, wanted)
    return pull_end(core, &queue, 1, peer, request, given, many, wanted)


cdef int pull_several(Core* core, Peer* peer, Request* request, uint64_t count, bint many,
                      const Wanted* wanted) noexcept nogil:
    cdef int given = 0
    cdef int status
    if has(&request.item, BIT_QUEUES) and has(&request.item, BIT_QUEUE):
        return contradiction(request, "queues", "queue")
    status = several_open(core, request, &several)
    if status != OK:
        return status
    pulled_several(core, peer, several.queues, several.count)
    if count > MAX_BATCH:
        count = MAX_BATCH
        request.count = count
    if not core.closing and count:
        given = several_now(core, &several, peer, &request.req_id, <uint32_t>count, many, wanted)
    return pull_end(core, several.queues, several.count, peer, request, given, many, wanted)


cdef inline int pull_end(Core* core, Queue** queues, uint32_t queue_count, Peer* peer, Request* request, int given,
                         bint many, const Wanted* wanted) noexcept nogil:
    """After what was there was `given`: answer empty, or wait."""
    if given:
        return OK if given > 0 else given
    if core.closing or (many and request.count == 0) or (has(&request.item, BIT_TIMEOUT) and request.item.timeout == 0):
        wire_no_job(peer.format, &peer.out, &request.req_id, many)
        peer_replied(core, peer, core.committed)
        return OK
    return waiter_park(core, queues, queue_count, peer, request, many, wanted)


cdef inline int held(Core* core, Request* request, int missing, Job** out) noexcept nogil:
    """The active job that the request names, with its token if one is given."""
    out[0] = job_active(core, request.id)
    if out[0] == NULL:
        return problem(request, missing, request.id)
    if has(&request.item, BIT_TOKEN) and request.token != out[0].delivery.token:
        return problem(request, STALE_TOKEN, request.id)
    return OK


cdef int ack(Core* core, Peer* peer, Request* request) noexcept nogil:
    cdef Job* job
    cdef int status = held(core, request, JOB_NOT_FOUND, &job)
    if status != OK:
        return status
    if has(&request.item, BIT_RESULT) and request.result.size > core.limits.job_size:
        return problem(request, DATA_TOO_LARGE, request.result.size)
    status = job_complete(core, job, &request.result if has(&request.item, BIT_RESULT) else NULL, request.format)
    if status != OK:
        return status
    return answer_ok(core, peer, request)


cdef int ack_batch(Core* core, Peer* peer, Request* request) noexcept nogil:
    cdef Job* job
    cdef uint32_t i
    cdef uint64_t done = 0
    cdef size_t at = peer.out.size
    cdef bint fenced = has(&request.item, BIT_TOKENS)
    if request.id_count > MAX_BATCH:
        return problem(request, BATCH_TOO_LARGE, request.id_count)
    if fenced and request.token_count != request.id_count:
        request.problem_field = "tokens"
        return problem(request, BAD_TYPE, KIND_IDS)
    for i in range(request.id_count):
        job = job_active(core, request.ids[i])
        if job != NULL and (not fenced or job.delivery.token == request.tokens[i]):
            job_complete(core, job, NULL, request.format)
            done += 1
    wire_count(peer.format, &peer.out, &request.req_id, done)
    replied(core, peer, request, at, core.position)
    return OK


cdef int fail_order(Request* request, FailOrder* order) noexcept nogil:
    """What FAIL asks for; OK, or CONTRADICTION."""
    order.dead = has(&request.item, BIT_FAIL_RETRY) and not request.fail_retry
    order.release = has(&request.item, BIT_RELEASE) and request.release != 0
    order.timed = has(&request.item, BIT_RETRY_AFTER)
    order.after = request.retry_after if order.timed else 0
    if not order.dead or not (order.release or order.timed):
        return OK
    return contradiction(request, "release" if order.release else "retry_after", "retry: false")


cdef int fail(Core* core, Peer* peer, Request* request) noexcept nogil:
    cdef Job* job
    cdef FailOrder order
    cdef int status = fail_order(request, &order)
    if status == OK:
        status = held(core, request, JOB_NOT_FOUND, &job)
    if status != OK:
        return status
    job_fail(core, job, ENDED_FAILED, &request.error if has(&request.item, BIT_ERROR) else NULL, &order)
    return answer_ok(core, peer, request)


cdef int progress(Core* core, Peer* peer, Request* request) noexcept nogil:
    cdef Job* job
    cdef int status = held(core, request, NOT_IN_PROCESSING, &job)
    if status != OK:
        return status
    job.progress = <uint8_t>(request.progress if request.progress < FULL_PROGRESS else FULL_PROGRESS)
    job_set_message(core, job, request.message.ptr, request.message.size if has(&request.item, BIT_MESSAGE) else 0)
    job_beat(core, job)
    record_state(core, job)
    if core.listening:
        event_progress(core, job)
    return answer_ok(core, peer, request)


cdef int heartbeat(Core* core, Peer* peer, Request* request) noexcept nogil:
    cdef Job* job
    cdef int status = held(core, request, NOT_PROCESSING, &job)
    if status != OK:
        return status
    job_beat(core, job)
    losses_forgive(core, job, False)
    wire_ok(peer.format, &peer.out, &request.req_id)
    peer_replied(core, peer, job.position)
    return OK
