"""Push so many jobs by one of the programs, and print the seconds that took: `push_jobs.py MODULE COUNT`."""
import importlib
import sys
import time

module = importlib.import_module(sys.argv[1])
started = time.perf_counter()
module.push(int(sys.argv[2]))
print(time.perf_counter() - started)
