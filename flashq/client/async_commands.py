"""Every command as a method of AsyncFlashQ.

Made by `python -m flashq.generate`: change the tables it comes from.
"""
from flashq.client.bind import awaiting
from flashq.client.calls import (
    access,
    cron,
    dead,
    durable,
    flows,
    jobs,
    kv,
    management,
    pubsub,
    queues,
    reading,
    statistics,
)


class AsyncCommands:
    """What AsyncFlashQ can ask the server for; flashq/client/calls says how."""

    push = awaiting(jobs.push)
    push_batch = awaiting(jobs.push_batch)
    pull = awaiting(jobs.pull)
    pull_batch = awaiting(jobs.pull_batch)
    ack = awaiting(jobs.ack)
    ack_batch = awaiting(jobs.ack_batch)
    fail = awaiting(jobs.fail)
    progress = awaiting(jobs.progress)
    partial = awaiting(jobs.partial)
    heartbeat = awaiting(jobs.heartbeat)
    auth = awaiting(access.auth)
    hello = awaiting(access.hello)
    ping = awaiting(access.ping)
    get_job = awaiting(reading.get_job)
    explain = awaiting(reading.explain)
    get_state = awaiting(reading.get_state)
    get_result = awaiting(reading.get_result)
    wait_job = awaiting(reading.wait_job)
    get_progress = awaiting(reading.get_progress)
    get_job_by_custom_id = awaiting(reading.get_job_by_custom_id)
    get_jobs_batch = awaiting(reading.get_jobs_batch)
    get_jobs = awaiting(reading.get_jobs)
    get_job_counts = awaiting(reading.get_job_counts)
    get_logs = awaiting(reading.get_logs)
    cancel = awaiting(management.cancel)
    change_priority = awaiting(management.change_priority)
    promote = awaiting(management.promote)
    move_to_delayed = awaiting(management.move_to_delayed)
    update_job = awaiting(management.update_job)
    update = awaiting(management.update)
    discard = awaiting(management.discard)
    log = awaiting(management.log)
    dead_letters = awaiting(dead.dead_letters)
    retry_dead_letters = awaiting(dead.retry_dead_letters)
    purge_dead_letters = awaiting(dead.purge_dead_letters)
    pause = awaiting(queues.pause)
    resume = awaiting(queues.resume)
    is_paused = awaiting(queues.is_paused)
    list_queues = awaiting(queues.list_queues)
    count = awaiting(queues.count)
    limit_rate = awaiting(queues.limit_rate)
    clear_rate_limit = awaiting(queues.clear_rate_limit)
    limit_concurrency = awaiting(queues.limit_concurrency)
    clear_concurrency_limit = awaiting(queues.clear_concurrency_limit)
    set_groups = awaiting(queues.set_groups)
    drain = awaiting(queues.drain)
    obliterate = awaiting(queues.obliterate)
    clean = awaiting(queues.clean)
    stats = awaiting(statistics.stats)
    metrics = awaiting(statistics.metrics)
    workers = awaiting(statistics.workers)
    add_cron = awaiting(cron.add_cron)
    delete_cron = awaiting(cron.delete_cron)
    list_crons = awaiting(cron.list_crons)
    push_flow = awaiting(flows.push_flow)
    get_children = awaiting(flows.get_children)
    kv_set = awaiting(kv.kv_set)
    kv_get = awaiting(kv.kv_get)
    kv_delete = awaiting(kv.kv_delete)
    kv_get_many = awaiting(kv.kv_get_many)
    kv_set_many = awaiting(kv.kv_set_many)
    kv_exists = awaiting(kv.kv_exists)
    kv_expire = awaiting(kv.kv_expire)
    kv_ttl = awaiting(kv.kv_ttl)
    kv_keys = awaiting(kv.kv_keys)
    kv_increment = awaiting(kv.kv_increment)
    publish = awaiting(pubsub.publish)
    subscribe = awaiting(pubsub.subscribe)
    subscribe_patterns = awaiting(pubsub.subscribe_patterns)
    unsubscribe = awaiting(pubsub.unsubscribe)
    unsubscribe_patterns = awaiting(pubsub.unsubscribe_patterns)
    list_channels = awaiting(pubsub.list_channels)
    count_listeners = awaiting(pubsub.count_listeners)
    subscribe_events = awaiting(pubsub.subscribe_events)
    unsubscribe_events = awaiting(pubsub.unsubscribe_events)
    sync = awaiting(durable.sync)
