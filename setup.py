"""Build of the Cython extensions; everything else stands in pyproject.toml.

Switches (environment):
  FLASHQ_ASAN=1       AddressSanitizer and UndefinedBehaviorSanitizer, slabs replaced by malloc
  FLASHQ_TRACE=1      line tracing for coverage
  FLASHQ_ANNOTATE=1   the annotated HTML beside each .pyx
  FLASHQ_MODULES=a,b  only these extensions (by last name), for a quick rebuild; `none` builds nothing
"""

import os
import sys
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

ASAN = os.environ.get("FLASHQ_ASAN") == "1"
TRACE = os.environ.get("FLASHQ_TRACE") == "1"
ANNOTATE = os.environ.get("FLASHQ_ANNOTATE") == "1"
ONLY = set(filter(None, os.environ.get("FLASHQ_MODULES", "").split(",")))

CPUS = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
COMPILE = ["-O2", "-std=c11", "-D_GNU_SOURCE", "-pthread", "-Wall", "-Wextra", "-Wconversion"]
LINK = ["-pthread"]
if ASAN:
    SANITIZE = ["-fsanitize=address,undefined", "-fno-omit-frame-pointer", "-fno-sanitize-recover=undefined"]
    COMPILE = ["-O1", "-g", *COMPILE[1:], *SANITIZE, "-DFLASHQ_MALLOC_SLABS=1"]
    LINK = [*LINK, *SANITIZE]
DIRECTIVES = {
    "language_level": 3,
    "boundscheck": False,
    "wraparound": False,
    "initializedcheck": False,
    "cdivision": True,
    "embedsignature": True,
    "linetrace": TRACE,
}


def extensions() -> list[Extension]:
    """Every .pyx of the package, one extension a file."""
    found = []
    for path in sorted(Path("flashq").rglob("*.pyx")):
        if ONLY and path.stem not in ONLY:
            continue
        macros = [("CYTHON_TRACE_NOGIL", "1")] if TRACE else []
        found.append(
            Extension(
                ".".join(path.with_suffix("").parts),
                [str(path)],
                include_dirs=["include"],
                depends=sorted(str(p) for p in Path("include").rglob("*.h")),
                extra_compile_args=COMPILE,
                extra_link_args=LINK,
                define_macros=macros,
            )
        )
    return found


setup(
    ext_modules=cythonize(
        extensions(),
        compiler_directives=DIRECTIVES,
        annotate=ANNOTATE,
        build_dir="build/cython-asan" if ASAN else "build/cython",
        quiet=True,  # a line for each file says nothing; warnings and errors still show
        nthreads=CPUS if sys.platform == "linux" else 0,  # a spawned process would run this file again
    ),
    options={"build_ext": {"parallel": CPUS}},
)
