"""bench/RESULTS.md and its charts, written from what `./dev bench` has just measured."""

import datetime
import html
import pathlib
import platform
import re

BENCH = pathlib.Path(__file__).resolve().parents[1]
LEFT, BAR, ROW, RIGHT = 190, 400, 26, 190  # of a chart, in pixels

STYLE = """<style>
  text { font: 13px system-ui, sans-serif; fill: #1f2328 } .soft { fill: #59636e }
  .bar { fill: #9aa7b4 } .ours { fill: #0969da } .reach { stroke: #1f2328 } .one { stroke: #8c959f; stroke-dasharray: 3 3 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .soft { fill: #9198a1 } .bar { fill: #59636e } .ours { fill: #4493f8 } .reach { stroke: #e6edf3 }
  }
</style>"""


def write(report, command, options):
    """The page, and one chart for each section that compares rates."""
    charts = BENCH / "charts"
    charts.mkdir(exist_ok=True)
    for old in charts.glob("*.svg"):
        old.unlink()
    lines = [
        "# Dwell among the servers people use", "",
        f"Measured by `{command}` on {datetime.date.today()}: {options.rounds} rounds of {options.duration}, everything in turn, a fresh process "
        f"each time, server and client on one core each. {_machine()}. What the columns mean: [README.md](README.md#the-field).", "",
        "A rate is given as its ratio to a yardstick of the same round, median and range: absolute figures are this machine's. "
        "`raw` servers are written by hand for this one job.", "",
    ]
    for section in report.sections:
        lines += [f"## {section['title']}", ""]
        if any(header.startswith("rate to") for header in section["headers"]):
            name = re.sub(r"[^a-z0-9]+", "-", section["title"].lower()).strip("-") + ".svg"
            (charts / name).write_text(chart(section))
            lines += [f"![Rates as a bar chart; the table has the figures](charts/{name})", ""]
        lines += markdown(section)
        lines += ["", section["note"], ""] if section["note"] else [""]
    lines += ["## Goals", "", *markdown({
        "headers": ["", "measured", "wanted", ""],
        "rows": [[goal["what"], goal["shown"], goal["bound"], "met" if goal["met"] else "**missed**"] for goal in report.goals],
    }), "", *(f"{note}  " for note in report.notes)]
    (BENCH / "RESULTS.md").write_text("\n".join(lines).rstrip() + "\n")
    return BENCH / "RESULTS.md"


def markdown(section):
    rows = [section["headers"], ["---"] + ["---:"] * (len(section["headers"]) - 1),
            *([str(cell) for cell in row] for row in section["rows"])]
    return ["| " + " | ".join(f"**{cell}**" if row[0] == cell and cell.startswith("Dwell") else cell for cell in row) + " |"
            for row in rows]


def chart(section):
    """Bars of the rate relative to the yardstick, each with the range over the rounds."""
    column = next(i for i, header in enumerate(section["headers"]) if header.startswith("rate to"))
    bars = [(row[0], [float(figure) for figure in re.findall(r"[\d.]+", row[column])]) for row in section["rows"]]
    most = max(max(figures) for _, figures in bars)
    scale, height = BAR / most, ROW * len(bars) + 44
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + BAR + RIGHT} {height}" '
             f'width="{LEFT + BAR + RIGHT}" role="img"><title>{html.escape(section["title"])}</title>', STYLE,
             f'<line class="one" x1="{LEFT + scale:.1f}" x2="{LEFT + scale:.1f}" y1="6" y2="{height - 34}"/>']
    for number, (name, figures) in enumerate(bars):
        y = 8 + number * ROW
        ours = "ours" if name.startswith("Dwell") else "bar"
        parts += [f'<text x="{LEFT - 10}" y="{y + 14}" text-anchor="end">{html.escape(name)}</text>',
                  f'<rect class="{ours}" x="{LEFT}" y="{y}" width="{figures[0] * scale:.1f}" height="18" rx="2"/>']
        if len(figures) == 3:
            parts.append(f'<path class="reach" d="M{LEFT + figures[1] * scale:.1f} {y + 9}H{LEFT + figures[2] * scale:.1f}"/>')
        parts.append(f'<text x="{LEFT + BAR + 8}" y="{y + 14}">'
                     f'{html.escape(section["rows"][number][column])}</text>')
    parts.append(f'<text class="soft" x="{LEFT}" y="{height - 10}">{html.escape(section["headers"][column])}, median; '
                 "the line is the range over the rounds</text></svg>")
    return "\n".join(parts) + "\n"


def _machine():
    model = "an unnamed CPU"
    with open("/proc/cpuinfo") as lines:
        for line in lines:
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    return f"{model}, Linux {platform.release().split('-')[0]}"
