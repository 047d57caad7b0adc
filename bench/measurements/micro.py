"""micro: Google Benchmark over the parts that run for every message."""

import json
import subprocess

from lab.programs import Failed
from lab.report import table

WHAT = "the parts alone, nanoseconds: wheel, reaper, buffer, task, parser, a life with its record, registration, histogram"


def measure(programs, options, report):
    programs.need("micro")
    done = subprocess.run([programs.micro, "--benchmark_format=json", "--benchmark_min_time=0.2"],
                          capture_output=True, text=True)
    if done.returncode != 0:
        raise Failed(done.stderr)
    results = [each for each in json.loads(done.stdout)["benchmarks"] if "real_time" in each]
    report.run(benchmarks=results)
    print(table(["benchmark", "CPU time", "unit"],
                [[each["name"], f"{each['cpu_time']:.2f}", each["time_unit"]] for each in results]),
          end="\n\n")
