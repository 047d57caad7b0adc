"""Puts a run of the close matrix into docs/time-wait.md: `time_wait_table.py FOLDER`, or `--check`.

    mkdir -p build/matrix
    DWELL_MATRIX=build/matrix build/dev/tests/kernel/kernel_test --gtest_filter='matrix.*'
    python3 docs/time_wait_table.py build/matrix

With --check nothing is written; the exit code is 1 when the page's table has other rows, columns or marks than
tests/kernel/matrix has peers, forms and expectations.
"""

import argparse
import json
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).parents[1]
MATRIX = ROOT / "tests" / "kernel" / "matrix"
PAGE = ROOT / "docs" / "time-wait.md"
PLACE = re.compile(r"(<!-- measured by tests/kernel/matrix_test.cpp -->\n)(.*?)(<!-- end -->)", re.DOTALL)
BROKEN, RACE = "†", "‡"
MARKS = {"late": BROKEN, "lost": BROKEN, "any": RACE}


def design():
    """The names of the forms, and of the peers with the marks of their cells, as the test has them."""
    forms = re.findall(r'\{\.name = "([^"]+)",\s+\.method', (MATRIX / "cells.cpp").read_text())
    peers = re.findall(r'\{\.name = "([^"]+)",\s+\.expected = \{([^}]*)\}', (MATRIX / "peers.cpp").read_text())
    return forms, {name: [MARKS.get(word.strip(), "") for word in marks.split(",")] for name, marks in peers}


def cells_of(folder):
    """(peer, form) to the sums of both modes."""
    sums = {}
    for file in sorted(folder.glob("*.json")):
        found = json.loads(file.read_text())
        for cell in found["cells"]:
            into = sums.setdefault((found["peer"], cell["form"]), {})
            for name, value in cell.items():
                if isinstance(value, int):
                    into[name] = into.get(name, 0) + value
    return sums


def where(cell):
    said = [f"{word} {cell[name]}" for name, word in
            (("here", "server"), ("there", "client"), ("both", "both"), ("nowhere", "nowhere")) if cell[name]]
    if cell["nowhere"] and cell["orphans_in_fin_wait_2"] == cell["trials"]:
        said[-1] = "FIN_WAIT_2, then " + said[-1]
    return ", ".join(said)


def arrived(cell):
    count = cell["trials"]
    looked = cell["saw_fin"] + cell["saw_reset"]
    if not cell["complete"] and not looked:
        return "–"
    whole = {0: "cut short", count: "all"}.get(cell["complete"], f"{cell['complete']} whole")
    seen = [word for name, word in (("saw_fin", "FIN"), ("saw_reset", "RST")) if cell[name]]
    return ", ".join([whole, " or ".join(seen)] if seen else [whole])


def table(folder):
    forms, peers = design()
    cells = cells_of(folder)
    missing = [f"{peer} × {form}" for peer in peers for form in forms if (peer, form) not in cells]
    if missing:
        sys.exit(f"time_wait_table.py: {folder} has no {missing[0]}; run all of matrix.*")
    lines = [["the peer", *(f"`{form.split(',')[0]}`{','.join(['', *form.split(',')[1:]])}" for form in forms)],
             ["---"] * (len(forms) + 1)]
    right = {"observed": [0, 0], "": [0, 0], BROKEN: [0, 0], RACE: [0, 0]}
    for peer, marks in peers.items():
        row = [peer]
        for form, mark in zip(forms, marks):
            cell = cells[peer, form]
            row.append(f"{where(cell)}{f' {mark}' if mark else ''}<br>{arrived(cell)}")
            for key, name in (("observed", "observed"), (mark, "expected")):
                right[key][0] += cell[f"{name}_right"]
                right[key][1] += cell[name]
        lines.append(row)
    trials = cells[next(iter(cells))]["trials"]
    say = {key: f"{good:,} of {of:,}" for key, (good, of) in right.items()}
    text = "".join("| " + " | ".join(line) + " |\n" for line in lines)
    return (f"{text}\n{trials} connections in each cell, half of them in either mode. Records that say `observed` and are right: "
            f"{say['observed']}. Records that say `expected` and are right: {say['']}, and of those in cells marked {BROKEN} "
            f"{say[BROKEN]}, marked {RACE} {say[RACE]}.\n")


def heads(text):
    """(columns, {row: marks}) of a table in markdown."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]
    if len(rows) < 3:
        return [], {}
    columns = [cell.replace("`", "") for cell in rows[0][1:]]
    return columns, {row[0]: [(re.findall(f"[{BROKEN}{RACE}]", cell) or [""])[0] for cell in row[1:]] for row in rows[2:]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="only say whether the table has the test's rows and columns")
    parser.add_argument("folder", nargs="?", type=pathlib.Path, help="what DWELL_MATRIX was")
    arguments = parser.parse_args()
    page = PAGE.read_text()
    place = PLACE.search(page)
    if not place:
        sys.exit("time_wait_table.py: docs/time-wait.md has no place for the table")
    if arguments.check:
        if heads(place[2]) != design():
            sys.exit("docs/time-wait.md: its table has other rows, columns or marks than tests/kernel/matrix; see "
                     "docs/time_wait_table.py --help for how to make it anew")
    elif not arguments.folder:
        parser.error("name the folder that DWELL_MATRIX was, or --check")
    else:
        made = table(arguments.folder)
        PAGE.write_text(PLACE.sub(lambda found: f"{found[1]}\n{made}\n{found[3]}", page))


if __name__ == "__main__":
    main()
