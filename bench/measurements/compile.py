"""compile: compiler time of a hello-world that includes <dwell/dwell.hpp>."""

import resource
import shutil
import subprocess
import tempfile

from lab.programs import ROOT, Failed
from lab.report import Spread, say, table

WHAT = "compiler time of a program that includes <dwell/dwell.hpp>"
SOURCE = "#include <dwell/dwell.hpp>\n#include <cstdio>\nint main() { std::puts(\"hello\"); }\n"
COMPILERS = ["g++", "clang++", "clang++-14"]
GOAL = 1.5


def measure(programs, options, report):
    header = ROOT / "framework" / "include" / "dwell" / "dwell.hpp"
    if not header.exists():
        raise Failed(f"{header} is missing")
    found = {shutil.which(name): name for name in COMPILERS if shutil.which(name)}
    rows = []
    for name in found.values():
        say(f"  compile: {name}")
        taken = Spread([_compile(name) for _ in range(options.rounds)])
        report.run(compiler=name, seconds=taken.values)
        report.goal(f"{name} -c", taken.median, GOAL, "<=", unit=" s")
        rows.append([name, taken.text()])
    print("Compiler CPU seconds, -O0")
    print(table(["compiler", "seconds"], rows), end="\n\n")


def _compile(compiler):
    with tempfile.NamedTemporaryFile("w", suffix=".cpp") as source:
        source.write(SOURCE)
        source.flush()
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run([compiler, "-std=c++20", "-I", ROOT / "framework" / "include", "-c",
                               source.name, "-o", "/dev/null"], capture_output=True, text=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        raise Failed(done.stderr)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
