"""The program under test, the first argument of the command line."""

import pathlib
import subprocess
import sys
import unittest

SKIPPED = 77
DWELL = pathlib.Path()


def run(*arguments, **options):
    return subprocess.run([DWELL, *map(str, arguments)], capture_output=True, text=True, timeout=60, **options)


def start(*arguments, stdout=subprocess.PIPE):
    return subprocess.Popen([DWELL, *map(str, arguments)], stdout=stdout, text=True)


def main():
    global DWELL
    sys.modules["program"].DWELL = DWELL = pathlib.Path(sys.argv[1]).resolve()
    # What a test leaves open ends with its network.
    program = unittest.main(module="__main__", argv=[sys.argv[0], *sys.argv[2:]], exit=False, warnings="ignore")
    result = program.result
    if not result.wasSuccessful():
        sys.exit(1)
    sys.exit(SKIPPED if result.testsRun == len(result.skipped) else 0)
