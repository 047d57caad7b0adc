"""Instructions by function, read from valgrind's callgrind."""

import collections
import re
import shutil
import subprocess
import tempfile

from lab.programs import Failed

_NAMED = re.compile(r"(c?fn)=\((\d+)\)(?: (.*))?")


def instructions(argv, belongs):
    """How many instructions a program spent in the functions that `belongs` accepts by name, and in what
    those call that is nobody's here: malloc, memcpy."""
    if not shutil.which("valgrind"):
        raise Failed("valgrind is missing: apt install valgrind")
    with tempfile.NamedTemporaryFile("r") as output:
        done = subprocess.run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={output.name}", *map(str, argv)],
                              capture_output=True, text=True)
        if done.returncode:
            raise Failed(f"{argv[0]}: {done.stderr.strip()[-500:]}")
        return sum(cost for name, cost in _by_function(output, belongs).items())


def _by_function(lines, belongs):
    costs, names = collections.Counter(), {}
    function = callee = ""
    called = False
    for line in lines:
        named = _NAMED.match(line)
        if named:
            kind, number, name = named.groups()
            if name:
                names[number] = name
            if kind == "fn":
                function = names[number]
            else:
                callee = names[number]
        elif line.startswith("calls="):
            called = True
        elif line[:1].isdigit() or line[:1] in "+-*":
            # A line of the source and its cost; after `calls=` what the call cost in all.
            if belongs(function) and (not called or _is_foreign(callee)):
                costs[function] += int(line.split()[1])
            called = False
    return costs


def _is_foreign(name):
    return "dwell" not in name and "(anonymous namespace)" not in name
