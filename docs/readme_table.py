"""Puts the results of a demo into the table of README.md: `readme_table.py RESULTS`.

    ./dev demo --json build/demo.json && python3 docs/readme_table.py build/demo.json
"""

import argparse
import json
import pathlib
import re
import sys

README = pathlib.Path(__file__).parents[1] / "README.md"
PLACE = re.compile(r"(<!-- measured by ./dev demo -->\n).*?(<!-- end -->)", re.DOTALL)
HEAD = ["connections", "close method", "requests/s", "p99", "CPU per request, server + client", "TIME_WAIT on the server",
        "on the client", "idle ones closed", "latest"]


def row(result):
    load, idle = result["load"], result["idle"]
    server, client = result["time_wait"]
    return [result["mode"], f"`{result['method'].replace('-', '_')}`", f"{load['rate']:,.0f}",
            f"{load['latency_us']['p99'] / 1000:.1f} ms",
            f"{load['server']['cpu_us_each']:.0f} + {load['client']['cpu_us_each']:.0f} µs", f"{server:,}", f"{client:,}",
            f"{idle['closed_by_server']} of {idle['connections']}, {idle['early'] or 'none'} early" if idle else "–",
            f"{idle['late_ms']['max']:.0f} ms late" if idle else "–"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=pathlib.Path, help="what ./dev demo --json has written")
    arguments = parser.parse_args()
    results = json.loads(arguments.results.read_text())
    if len(results) != 4 or any(result["load"]["failed"] for result in results):
        sys.exit("readme_table.py: the demo was interrupted, or exchanges failed; run it again")
    lines = [HEAD, ["---"] * len(HEAD), *map(row, results)]
    table = "".join("| " + " | ".join(line) + " |\n" for line in lines)
    text, found = PLACE.subn(lambda place: f"{place[1]}\n{table}\n{place[2]}", README.read_text())
    if not found:
        sys.exit("readme_table.py: README.md has no place for it")
    README.write_text(text)


if __name__ == "__main__":
    main()
