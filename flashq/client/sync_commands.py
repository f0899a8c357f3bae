"""Every command as a method of FlashQ.

Made by `python -m flashq.generate`: change the tables it comes from.
"""
from flashq.client.bind import blocking
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


class SyncCommands:
    """What FlashQ can ask the server for; flashq/client/calls says how."""

    push = blocking(jobs.push)
    push_batch = blocking(jobs.push_batch)
    pull = blocking(jobs.pull)
    pull_batch = blocking(jobs.pull_batch)
    ack = blocking(jobs.ack)
    ack_batch = blocking(jobs.ack_batch)
    fail = blocking(jobs.fail)
    progress = blocking(jobs.progress)
    partial = blocking(jobs.partial)
    heartbeat = blocking(jobs.heartbeat)
    auth = blocking(access.auth)
    hello = blocking(access.hello)
    ping = blocking(access.ping)
    get_job = blocking(reading.get_job)
    explain = blocking(reading.explain)
    get_state = blocking(reading.get_state)
    get_result = blocking(reading.get_result)
    wait_job = blocking(reading.wait_job)
    get_progress = blocking(reading.get_progress)
    get_job_by_custom_id = blocking(reading.get_job_by_custom_id)
    get_jobs_batch = blocking(reading.get_jobs_batch)
    get_jobs = blocking(reading.get_jobs)
    get_job_counts = blocking(reading.get_job_counts)
    get_logs = blocking(reading.get_logs)
    cancel = blocking(management.cancel)
    change_priority = blocking(management.change_priority)
    promote = blocking(management.promote)
    move_to_delayed = blocking(management.move_to_delayed)
    update_job = blocking(management.update_job)
    update = blocking(management.update)
    discard = blocking(management.discard)
    log = blocking(management.log)
    dead_letters = blocking(dead.dead_letters)
    retry_dead_letters = blocking(dead.retry_dead_letters)
    purge_dead_letters = blocking(dead.purge_dead_letters)
    pause = blocking(queues.pause)
    resume = blocking(queues.resume)
    is_paused = blocking(queues.is_paused)
    list_queues = blocking(queues.list_queues)
    count = blocking(queues.count)
    limit_rate = blocking(queues.limit_rate)
    clear_rate_limit = blocking(queues.clear_rate_limit)
    limit_concurrency = blocking(queues.limit_concurrency)
    clear_concurrency_limit = blocking(queues.clear_concurrency_limit)
    set_groups = blocking(queues.set_groups)
    drain = blocking(queues.drain)
    obliterate = blocking(queues.obliterate)
    clean = blocking(queues.clean)
    stats = blocking(statistics.stats)
    metrics = blocking(statistics.metrics)
    workers = blocking(statistics.workers)
    add_cron = blocking(cron.add_cron)
    delete_cron = blocking(cron.delete_cron)
    list_crons = blocking(cron.list_crons)
    push_flow = blocking(flows.push_flow)
    get_children = blocking(flows.get_children)
    kv_set = blocking(kv.kv_set)
    kv_get = blocking(kv.kv_get)
    kv_delete = blocking(kv.kv_delete)
    kv_get_many = blocking(kv.kv_get_many)
    kv_set_many = blocking(kv.kv_set_many)
    kv_exists = blocking(kv.kv_exists)
    kv_expire = blocking(kv.kv_expire)
    kv_ttl = blocking(kv.kv_ttl)
    kv_keys = blocking(kv.kv_keys)
    kv_increment = blocking(kv.kv_increment)
    publish = blocking(pubsub.publish)
    subscribe = blocking(pubsub.subscribe)
    subscribe_patterns = blocking(pubsub.subscribe_patterns)
    unsubscribe = blocking(pubsub.unsubscribe)
    unsubscribe_patterns = blocking(pubsub.unsubscribe_patterns)
    list_channels = blocking(pubsub.list_channels)
    count_listeners = blocking(pubsub.count_listeners)
    subscribe_events = blocking(pubsub.subscribe_events)
    unsubscribe_events = blocking(pubsub.unsubscribe_events)
    sync = blocking(durable.sync)
