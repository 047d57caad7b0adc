"""tables: a descriptor table for each loop against one for all, four loops on one core.

A table that one thread uses spares each system call the reference to the file; loops that cannot deal connections to each
other accept in turn.
"""

from lab import pairs
from lab.network import Network
from lab.report import ratios

WHAT = "a descriptor table for each of four loops, against one for all"
LOOPS = 4
CASES = {"shared": "shared", "per loop": "per-loop"}
JOBS = {
    "100 long connections, 64 B": ("request", {}, ["long", "-n", 100]),
    "one exchange per connection": ("connection", {"mode": "short", "size": 64}, ["short", "-n", 50]),
}


def measure(programs, options, report):
    programs.need("driver", "echo_server")
    rows = []
    for job, (unit, flags, driver) in JOBS.items():
        def run(tables):
            server = programs.dwell(**{"mode": "long", "threads": LOOPS, "tables": tables, **flags})
            return pairs.load(lambda: Network("lo"), programs, server, [*driver, "--size", 64, "--duration", options.duration])

        results = pairs.interleave(report, f"tables, {job}", CASES, run, options.rounds)
        shared, own = results.values()
        cpu = ratios(*(pairs.column(each, "server", "cpu_us_each") for each in (own, shared)))
        rate = ratios(*(pairs.column(each, "rate") for each in (own, shared)))
        rows.append([job, f"{pairs.Spread(pairs.column(shared, 'server', 'cpu_us_each')).median:.2f}", cpu.text(), rate.text()])
        if unit == "request":
            report.goal("tables of their own: CPU per request against a shared one", cpu.median, 1.02, "<=", exact=cpu.text())
    report.section(f"{LOOPS} loops, a descriptor table each against one for all",
                   ["", "CPU µs each, shared", "CPU, per loop to shared", "rate, per loop to shared"], rows)
