"""What a measurement says: tables, goals, raw results."""

import dataclasses
import math
import os
import statistics
import sys


def styled(text, code):
    if not sys.stdout.isatty() or "NO_COLOR" in os.environ:
        return text
    return f"\033[{code}m{text}\033[0m"


def bold(text):
    return styled(text, "1")


def table(headers, rows):
    """Text columns to the left, figures to the right. A header may have several lines."""
    body = [list(map(str, row)) for row in rows]
    height = max(header.count("\n") for header in headers) + 1
    columns = [([""] * height + header.split("\n"))[-height:] for header in headers]
    head = [list(line) for line in zip(*columns)]
    widths = [max(len(row[i]) for row in head + body) for i in range(len(headers))]
    left = [all(not _figure(row[i]) for row in body) for i in range(len(headers))]

    def line(row):
        return "  " + "  ".join(cell.ljust(width) if is_left else cell.rjust(width)
                                for cell, width, is_left in zip(row, widths, left)).rstrip()

    rule = "  " + "  ".join("─" * width for width in widths)
    return "\n".join([*(bold(line(row)) for row in head), rule, *map(line, body)])


def _figure(cell):
    return cell[:1].isdigit() or cell[:1] in "-–+" and len(cell) <= 12


@dataclasses.dataclass
class Spread:
    """Median and range of repeated figures."""

    values: list

    @property
    def median(self):
        return statistics.median(self.values)

    def text(self, digits=2):
        if len(self.values) == 1:
            return f"{self.values[0]:.{digits}f}"
        return (f"{self.median:.{digits}f} "
                f"({min(self.values):.{digits}f}–{max(self.values):.{digits}f})")


def ratios(ours, theirs):
    """Round by round; a round too short to measure the other's counts for nothing."""
    return Spread([a / b for a, b in zip(ours, theirs) if b] or [math.nan])


class Report:
    def __init__(self, name):
        self.name = name
        self.goals = []
        self.runs = []
        self.notes = []
        self.sections = []

    def run(self, **result):
        self.runs.append(result)
        return result

    def goal(self, what, value, bound, relation, digits=2, unit="", exact=None):
        """relation: '>=' or '<='. exact: shown in place of the value."""
        met = value >= bound if relation == ">=" else value <= bound
        shown = exact or f"{value:.{digits}f}{unit}"
        sign = {">=": "≥", "<=": "≤"}[relation]
        self.goals.append({"what": what, "value": value, "goal": f"{relation} {bound}", "met": met,
                           "shown": shown, "bound": f"{sign} {bound}{unit}"})

    def section(self, title, headers, rows, note=""):
        """A table worth keeping: printed now, and written to a results page on request."""
        self.sections.append({"title": title, "headers": headers, "rows": rows, "note": note})
        print(title)
        print(table(headers, rows))
        print(f"  {note}\n" if note else "")

    def note(self, text):
        if text not in self.notes:
            self.notes.append(text)

    def missed(self):
        return [goal for goal in self.goals if not goal["met"]]

    def print_goals(self):
        if not self.goals:
            return
        print(table(["goal", "measured", "wanted", ""],
                    [[g["what"], g["shown"], g["bound"],
                      styled("met", "32") if g["met"] else styled("MISSED", "31;1")]
                     for g in self.goals]))
        for text in self.notes:
            print(f"  Note: {text}")
        print()

    def as_json(self):
        kept = ("what", "value", "goal", "met")
        return {"name": self.name, "notes": self.notes, "runs": self.runs, "sections": self.sections,
                "goals": [{key: goal[key] for key in kept} for goal in self.goals]}


def say(text):
    """Progress, for people: standard error."""
    print(text, file=sys.stderr, flush=True)
