#!/usr/bin/env python3
"""Count the tokens of Python's standard library: a job for each source file, several workers, some of them killed.

Each file must be counted once, whoever dies. The total is compared with one that this process counts by itself; the
exit status is 0 when both agree, 1 when they do not.

Reading order: work (a worker's life), Crew (its processes, and their end), run (the whole story). msgpack_client.py
is what goes over the wire.
"""

import argparse
import collections
import json
import multiprocessing
import os
import secrets
import signal
import subprocess
import sys
import sysconfig
import threading
import time
import tokenize
from pathlib import Path

from msgpack_client import Client, Refused

ROOT = Path(__file__).resolve().parent.parent
NOT_STANDARD = {"site-packages", "dist-packages"}  # directories of installed packages, inside the library's own
BATCH = 500  # jobs of a PUSHB (it takes up to 1000), and requests sent before their replies are read
RESULTS_KEPT = 5000  # by a server with default settings: of older completed jobs the result is forgotten
POLL_SECONDS = 0.05


# -- the work -----------------------------------------------------------------------------------------------------


def count_tokens(path):
    """What a job results in: the number of tokens, and whether the file is one that cannot be tokenised.

    The library's own tests hold such files, as input for tests of the tokeniser. They are no reason to FAIL a job: a
    second attempt would end the same way.
    """
    try:
        with open(path, "rb") as file:
            return {"tokens": sum(1 for _ in tokenize.tokenize(file.readline)), "broken": False}
    except (SyntaxError, tokenize.TokenError, UnicodeDecodeError):
        return {"tokens": 0, "broken": True}


def work(address, token, queue, holds_job):
    """A worker's life, in a process of its own: until it is told to end, or killed.

    `holds_job` is shared with the parent, so that it can tell whether a worker died in the middle of a job. A worker
    of your own needs nothing like it.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then ends the workers
    try:
        client = Client(address, token)
        # With a session the jobs of a lost connection come back after `disconnect_grace` (5 s), without one after
        # `lease` (30 s). The name must be unguessable: who says it as well takes the session over.
        client.call("HELLO", session=secrets.token_hex(16))
        while True:
            job = client.call("PULL", queue=queue)["job"]  # waits until there is one, a minute at most
            if job is not None:
                do_job(client, job, holds_job)
    except ConnectionError as error:
        raise SystemExit(f"worker {os.getpid()}: {error}") from None


def do_job(client, job, holds_job):
    """Count, and tell the server what came out."""
    holds_job.value = 1
    try:
        outcome = {"cmd": "ACK", "result": count_tokens(job["data"]["path"])}
    except Exception as error:  # whatever it is, the server should know now, and not when this worker is gone
        outcome = {"cmd": "FAIL", "error": f"{type(error).__name__}: {error}"}
    holds_job.value = 0  # before the answer leaves: so 1 means for certain that the job is not acknowledged
    try:
        # The token says which delivery this is about: were the job with another worker by now, nothing happens.
        client.call_all([{**outcome, "id": job["id"], "token": job["token"]}])
    except Refused as refused:
        if refused.code not in ("STALE_TOKEN", "JOB_NOT_FOUND"):
            raise


class Crew:
    """The worker processes. Each is a pair of the process and the flag that it shares with this one."""

    def __init__(self, size, *arguments):
        self.context = multiprocessing.get_context("spawn")  # the same on each system, and safe beside threads
        self.arguments = arguments
        self.workers = []
        for _ in range(size):
            self.start_one()

    def start_one(self):
        """Start a worker and return its process id."""
        holds_job = self.context.Value("b", 0, lock=False)
        process = self.context.Process(target=work, args=(*self.arguments, holds_job), daemon=True)
        process.start()
        self.workers.append((process, holds_job))
        return process.pid

    def kill_one(self):
        """Kill a worker that holds a job, and start another: both process ids. None when the job was just finished."""
        for process, holds_job in self.workers:
            if holds_job.value:
                process.kill()  # SIGKILL: it cannot clean up, and cannot say good-bye to the server
                process.join()
                self.workers.remove((process, holds_job))
                replacement = self.start_one()
                return (process.pid, replacement) if holds_job.value else None
        return None

    def check(self):
        """A worker that ended by itself is a mistake: say so instead of waiting for it."""
        for process, _ in self.workers:
            if process.exitcode is not None:
                raise SystemExit(f"worker {process.pid} ended by itself, with status {process.exitcode}")

    def close(self):
        """End all workers; those without a job wait in a PULL, and take none when their connection is gone."""
        for process, _ in self.workers:
            process.terminate()
        for process, _ in self.workers:
            process.join()


# -- a server for this run ----------------------------------------------------------------------------------------


class Server:
    """A server on a free port for as long as the `with` block lasts, which gets its address."""

    # The grace is short because killed workers do not come back: their jobs are with others after a second.
    COMMAND = ("-m", "flashq", "serve", "--port", "0", "--log-format", "json", "--disconnect-grace", "1s",
               "--durability", "memory")

    def __enter__(self):
        found = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), str(ROOT)]))
        self.process = subprocess.Popen(
            [sys.executable, *self.COMMAND],
            env={**os.environ, "PYTHONPATH": found, "AUTH_TOKENS": ""},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.log = collections.deque(maxlen=20)
        for line in self.process.stderr:
            self.log.append(line)
            if '"event":"ready"' in line:
                # Someone has to read on, or the server would wait when the pipe is full.
                threading.Thread(target=self.log.extend, args=(self.process.stderr,), daemon=True).start()
                ready = json.loads(line)
                return ready["host"], ready["port"]
        raise SystemExit(f"no server could be started (is it built? `make build`):\n{''.join(self.log)}")

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


class OtherServer:
    """A server that runs already: nothing to start, nothing to stop."""

    def __init__(self, address):
        self.address = address

    def __enter__(self):
        return self.address

    def __exit__(self, *_):
        return None


# -- the whole story ----------------------------------------------------------------------------------------------


def library_files(limit=None):
    """Paths of the standard library's Python files, in order; with a limit so many of them, spread over all."""
    library = Path(sysconfig.get_paths()["stdlib"])
    inside = (path for path in library.rglob("*.py") if path.is_file())
    files = sorted(str(path) for path in inside if not NOT_STANDARD & set(path.relative_to(library).parts))
    if limit is None or limit >= len(files):
        return files
    return [files[i * len(files) // limit] for i in range(limit)]


def chunks(items):
    """The items in lists of at most BATCH."""
    return [items[start : start + BATCH] for start in range(0, len(items), BATCH)]


def push_all(client, queue, files):
    """Push a job for each file; their ids, in the order of the files."""
    ids = []
    for chunk in chunks(files):
        jobs = [{"data": {"path": path}, "max_attempts": 3} for path in chunk]
        reply = client.call("PUSHB", queue=queue, jobs=jobs)
        if "errors" in reply:  # a batch is not all or nothing: single jobs may be refused
            raise SystemExit(f"jobs were refused: {reply['errors']}")
        ids += reply["ids"]
    return ids


def wait_until_done(client, queue, total, crew, kills):
    """Watch the queue until all jobs have ended; kill workers on the way, spread over the work. How many died."""
    killed = 0
    while True:
        counts = client.call("STATS")["queues"][queue]
        ended = counts["completed"] + counts["failed"]
        show_progress(ended, total)
        if ended >= total:
            return killed
        crew.check()
        if killed < kills and ended >= total * (killed + 1) // (kills + 1) and (pids := crew.kill_one()):
            killed += 1
            say(f"  killed worker {pids[0]}, which held a job; started {pids[1]} in its place")
        time.sleep(POLL_SECONDS)


def collect(client, ids):
    """What the server knows of each job: its result, and how many workers it lost."""
    results, losses = [], 0
    for chunk in chunks(ids):
        results += [reply["result"] for reply in client.call_all([{"cmd": "GETRESULT", "id": id} for id in chunk])]
        jobs = [reply["job"] for reply in client.call_all([{"cmd": "GETJOB", "id": id} for id in chunk])]
        losses += sum(job["stall_count"] for job in jobs if job is not None)
    return results, losses


def differences(files, results, expected):
    """A line for each file that the workers counted otherwise than this process."""
    pairs = zip(files, results, expected, strict=True)
    return [f"{path}: {result} instead of {wanted}" for path, result, wanted in pairs if result != wanted]


def run(address, options):
    """The whole story; whether it ended well."""
    files = library_files(options.limit)
    queue = f"stdlib-tokens-{secrets.token_hex(4)}"  # of this run alone
    client = Client(address, options.token)

    start = time.perf_counter()
    ids = push_all(client, queue, files)
    say(f"pushed {len(ids)} jobs to {queue} in {time.perf_counter() - start:.2f} s")

    start = time.perf_counter()
    crew = Crew(options.workers, address, options.token, queue)
    try:
        killed = wait_until_done(client, queue, len(ids), crew, options.kill)
    finally:
        crew.close()
    say(f"{options.workers} workers took {time.perf_counter() - start:.1f} s")
    counts = client.call("STATS")["queues"][queue]
    results, losses = collect(client, ids)
    client.close()

    say("counting again in this process ...")
    start = time.perf_counter()
    expected = [count_tokens(path) for path in files]
    say(f"this process took {time.perf_counter() - start:.1f} s")
    wrong = differences(files, results, expected)
    if counts["completed"] != len(files) or counts["failed"]:
        wrong.append(f"of {len(files)} jobs {counts['completed']} were completed and {counts['failed']} failed")
    if killed < options.kill:
        wrong.append(f"only {killed} workers could be killed with a job in hand, instead of {options.kill}")
    if losses < killed:
        wrong.append(f"{killed} workers were killed with a job in hand, and only {losses} jobs came back")
    report(results, expected, killed, losses, wrong)
    return not wrong


def report(results, expected, killed, losses, wrong):
    """Print what came out."""
    got = sum(result["tokens"] for result in results if result)
    want = sum(result["tokens"] for result in expected)
    print(f"files            {len(results)}, of which {sum(one['broken'] for one in expected)} cannot be tokenised")
    print(f"tokens           {got} by the workers, {want} by this process")
    print(f"workers killed   {killed} with a job in hand; {losses} jobs came back and were done by others")
    for line in wrong[:10]:
        print(f"WRONG            {line}")
    if len(wrong) > 10:
        print(f"WRONG            and {len(wrong) - 10} more")
    print("the result is not right" if wrong else "right: each file was counted once")


# -- talking to people --------------------------------------------------------------------------------------------


def say(text):
    """A line on stderr, in place of the progress line if there is one."""
    clear = "\r\x1b[K" if sys.stderr.isatty() else ""
    print(f"{clear}{text}", file=sys.stderr, flush=True)


def show_progress(done, total):
    """The progress line, on terminals only."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K  {done} of {total} files", end="", file=sys.stderr, flush=True)


def address_of(text):
    """HOST:PORT as a pair."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT")
    return host.strip("[]"), int(port)


def at_least(least, most=None):
    """A reader of whole numbers in a range."""

    def read(text):
        if not text.isdecimal() or int(text) < least or (most is not None and int(text) > most):
            end = f" to {most}" if most is not None else " or more"
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of {least}{end}")
        return int(text)

    return read


def parse_options(arguments=None):
    """The command line."""
    parser = argparse.ArgumentParser(
        description="Count the tokens of Python's standard library by jobs, with workers killed on the way, "
        "and compare with a direct count. The exit status is 0 when they agree, else 1."
    )
    parser.add_argument(
        "--address", type=address_of, metavar="HOST:PORT", help="server to use; default: one started for this run"
    )
    parser.add_argument("--token", help="token for AUTH, if the server of --address asks for one")
    parser.add_argument("--workers", type=at_least(1), default=4, metavar="N", help="worker processes (default 4)")
    parser.add_argument("--kill", type=at_least(0), default=3, metavar="N", help="workers to kill (default 3)")
    parser.add_argument(
        "--limit", type=at_least(1, RESULTS_KEPT), metavar="N", help="count only so many files, spread over all"
    )
    options = parser.parse_args(arguments)
    count = len(library_files(options.limit))
    if count < 4 * options.kill:
        parser.error(f"{count} files are too few for killing {options.kill} workers")
    if count > RESULTS_KEPT:
        parser.error(f"there are more than {RESULTS_KEPT} files, of which a server keeps the results: use --limit")
    return options


def main():
    options = parse_options()
    try:
        with OtherServer(options.address) if options.address else Server() as address:
            return 0 if run(address, options) else 1
    except (Refused, OSError) as error:
        say(f"stopped: {error}")
    except KeyboardInterrupt:
        say("stopped")
    return 1


if __name__ == "__main__":
    sys.exit(main())
