"""instructions: of one exchange over the simulated engine, against what was accepted before.

Counted by callgrind, the figures repeat exactly; a hot path that grows by more than 3 % has to be accepted
by hand: ./dev bench instructions --accept.
"""

import json
import pathlib
import re
import subprocess

from lab import callgrind
from lab.report import say, table

WHAT = "instructions per exchange in Dwell's own code, against the accepted figures"
BASELINE = pathlib.Path(__file__).resolve().parents[1] / "instructions" / "baseline.json"
CASES = ("echo-long", "echo-long-coroutine", "echo-short", "http")
GROWTH = 1.03
FEW, MANY = 200, 1200
# The network, its clients and the engine they stand for are what a kernel would do.
_NOT_OURS = re.compile(r"dwell::v0::(network|simulated_\w+|tcp_connection)\b|dwell::testing::|std::function<bool ")


def measure(programs, options, report):
    programs.need("instructions")
    compiler = _compiler(programs)
    accepted = json.loads(BASELINE.read_text()) if BASELINE.exists() else {}
    counted, rows = {}, []
    for case in CASES:
        say(f"  instructions: {case}")
        few, many = (callgrind.instructions([programs.instructions, case, count], _is_ours) for count in (FEW, MANY))
        counted[case] = round((many - few) / (MANY - FEW))
        before = accepted.get(case)
        rows.append([case, f"{counted[case]:,}", f"{before:,}" if before else "none",
                     f"{counted[case] / before:.3f}" if before else "–"])
    print("Instructions per exchange, without the network")
    print(table(["", "now", "accepted", "ratio"], rows), end="\n\n")
    report.run(compiler=compiler, instructions=counted)
    if options.accept:
        BASELINE.write_text(json.dumps({"compiler": compiler, **counted}, indent=2) + "\n")
        print(f"accepted: {BASELINE}")
    elif accepted.get("compiler") != compiler:
        report.note(f"Accepted with {accepted.get('compiler', 'no compiler yet')}, counted with {compiler}: not compared.")
    else:
        for case in CASES:
            report.goal(f"instructions, {case}", counted[case] / accepted[case], GROWTH, "<=", digits=3)


def _is_ours(function):
    return "dwell::" in function and not _NOT_OURS.search(function)


def _compiler(programs):
    """As the program says that it was built with."""
    done = subprocess.run(["readelf", "-p", ".comment", str(programs.instructions)], capture_output=True, text=True)
    found = sorted(set(re.findall(r"(GCC: \S.*|clang version .*|Debian clang version .*)", done.stdout)))
    return found[-1] if found else "an unknown compiler"
