"""Runs the test stages one after the other: `./dev test`."""

import argparse
import os
import pathlib
import re
import subprocess
import sys
import time
import xml.etree.ElementTree as xml
from dataclasses import dataclass, field

ROOT = pathlib.Path(__file__).resolve().parent.parent
LOGS = ROOT / "build" / "test-logs"
BEHAVIOUR = "^(unit|model|simulation|integration|kernel|load|snippets|fault)$"


@dataclass
class Stage:
    """Configure and build a preset, then run the tests whose label matches; or run one command."""

    name: str
    says: str
    preset: str = ""
    targets: list = field(default_factory=list)
    labels: str = ""
    command: list = field(default_factory=list)
    slow: bool = False


STAGES = [
    Stage("format", "sources are formatted", command=["./dev", "format", "--check"]),
    Stage("release", "what users run builds", command=["./dev", "build"]),
    Stage("instructions", "no hot path has grown", command=["./dev", "bench", "instructions"]),
    Stage("rules", "folders, names, documentation", "dev", labels="^(rules|docs)$"),
    Stage("gcc", "GCC", "dev", ["all", "public_headers"], BEHAVIOUR.replace("(", "(interop|")),
    Stage("clang", "Clang, ASan and UBSan", "asan-clang", ["all", "public_headers"], BEHAVIOUR),
    # GCC translates coroutines in a way of its own, with faults of its own. Whoever has a thread meets others
    # on real sockets only.
    Stage("asan", "GCC, ASan", "asan", ["unit_test", "model_test", "simulation_test", "http_replay", "framing_replay", "tls_replay",
           "websocket_replay", "proxy_replay", "fault_memory_test", "fault_seeds_test"],
          "^(unit|model|simulation|fault)$"),
    Stage("tsan", "Clang, TSan", "tsan", ["all"], "^(unit|integration|kernel|load|snippets)$"),
    Stage("consumers", "installed package, subdirectory", "dev", ["all"], "^consumers$"),
    Stage("slow", "slow tests", "dev", ["all"], "^slow$", slow=True),
]


# So many failures may be the machine's; more are ours.
SECOND_TRIES = 3


@dataclass
class Result:
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    details: list = field(default_factory=list)

    def __str__(self):
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def allowed_skips():
    lines = (ROOT / "tests" / "allowed_skips.txt").read_text().splitlines()
    return [re.compile(line) for line in lines if line and not line.startswith("#")]


def read_junit(path, strict):
    """Counts of one ctest run. With strict, a skip that is not allowed counts as a failure, as does
    always a test that could not start or is disabled."""
    result = Result()
    for case in xml.parse(path).iter("testcase"):
        name, status = case.get("name"), case.get("status")
        if status == "run":
            result.passed += 1
        elif status == "notrun" and case.find("skipped").get("message").startswith("SKIP_"):
            permitted = not strict or any(allowed.search(name) for allowed in allowed_skips())
            result.skipped += permitted
            result.failed += not permitted
            result.details.append(f"skipped{'' if permitted else ', not in tests/allowed_skips.txt'}: {name}")
        else:
            result.failed += 1
            result.details.append(f"{'failed' if status == 'fail' else status}: {name}")
    return result


def second_try(stage, result, run):
    """Tests on real sockets also test the machine's mood. A few that fail are run once more, alone, and
    named in the summary either way, with what went wrong in the log; all other tests have one try."""
    failed = [detail.removeprefix("failed: ") for detail in result.details if detail.startswith("failed: ")]
    if len(failed) != result.failed or not all(name.startswith(("integration.", "kernel.")) for name in failed):
        return result
    for name in failed:
        pattern = "^" + re.sub(r"([^A-Za-z0-9_])", r"[\1]", name) + "$"
        if run("ctest", "--preset", stage.preset, "-R", pattern, "--no-tests=error") == 0:
            result.passed += 1
            result.failed -= 1
            result.details.remove(f"failed: {name}")
            result.details.append(f"passed on the second try: {name}")
    return result


def run_stage(stage, log, strict):
    def run(*command):
        print("$", *command, file=log, flush=True)
        return subprocess.run(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT).returncode

    if stage.command:
        ok = run(*stage.command) == 0
        return Result(passed=int(ok), failed=int(not ok))
    if run("cmake", "--preset", stage.preset):
        return Result(failed=1, details=[f"configuring {stage.preset} failed"])
    if stage.targets and run("cmake", "--build", "--preset", stage.preset, "--target", *stage.targets,
                             "--", "-k", "0"):
        return Result(failed=1, details=[f"building {stage.preset} failed"])
    junit = LOGS / f"{stage.name}.xml"
    junit.unlink(missing_ok=True)
    status = run("ctest", "--preset", stage.preset, "-L", stage.labels, "-j", str(os.cpu_count()),
                 "--output-junit", str(junit))
    if not junit.exists():
        return Result(failed=1, details=[f"ctest ended with {status}"])
    result = read_junit(junit, strict)
    if result.passed + result.failed + result.skipped == 0:
        return Result(failed=1, details=["no tests found"])
    if 0 < result.failed <= SECOND_TRIES:
        return second_try(stage, result, run)
    if status and not result.failed:
        return Result(result.passed, 1, result.skipped, [f"ctest ended with {status}"])
    return result


def show_failure(path):
    """What was expected and seen, wherever in the log that is, and how it ended."""
    lines = path.read_text(errors="replace").splitlines()
    wrong = [number for number, line in enumerate(lines) if re.search(r": Failure$|: error: |^FAILED: |ERROR: |runtime error:", line)]
    shown = sorted({near for number in wrong[:10] for near in range(number, min(number + 12, len(lines)))})
    print(*(lines[number] for number in shown), "...", *lines[-20:], sep="\n")
    print(f"--- whole log: {path.relative_to(ROOT)}")


def main():
    names = [stage.name for stage in STAGES]
    parser = argparse.ArgumentParser(
        prog="./dev test",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Runs the test stages: " + ", ".join(names) + ".",
        epilog="examples:\n  ./dev test\n  ./dev test all\n  ./dev test --stage gcc --stage rules\n\n"
               "With CI=true in the environment a skipped test that is not listed in\n"
               "tests/allowed_skips.txt counts as failed.")
    parser.add_argument("which", nargs="?", choices=["all"], help="also the slow tests")
    parser.add_argument("--stage", action="append", choices=names, help="only this one; repeatable")
    arguments = parser.parse_args()

    strict = os.environ.get("CI") == "true"
    chosen = [stage for stage in STAGES
              if (stage.name in arguments.stage if arguments.stage
                  else arguments.which == "all" or not stage.slow)]
    LOGS.mkdir(parents=True, exist_ok=True)
    total = Result()
    interrupted = False
    for stage in chosen:
        print(f"{stage.name:<10} {stage.says:<32} ", end="", flush=True)
        path = LOGS / f"{stage.name}.log"
        start = time.monotonic()
        try:
            with path.open("w") as log:
                result = run_stage(stage, log, strict)
        except KeyboardInterrupt:
            print("interrupted")
            interrupted = True
            break
        print(f"{time.monotonic() - start:5.0f} s  {result}", flush=True)
        for detail in result.details:
            print(f"    {detail}")
        if result.failed:
            show_failure(path)
        total.passed += result.passed
        total.failed += result.failed
        total.skipped += result.skipped
    print(total)
    sys.exit(130 if interrupted else int(total.failed > 0))


if __name__ == "__main__":
    main()
