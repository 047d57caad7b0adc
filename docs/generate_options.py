"""Writes docs/options.md from the headers that define the options: `generate_options.py [--check] [ROOT]`.

With --check nothing is written; the exit code is 1 when the page is not what the headers say.
"""

import argparse
import pathlib
import re
import sys

# Each structure that a user fills in, where it is, and what its fields are reached by.
STRUCTURES = [
    ("server_options", "server/options.hpp", "server_options"),
    ("drain_options", "server/options.hpp", "drain"),
    ("pressure_options", "server/pressure.hpp", "pressure"),
    ("service_options", "connection/options.hpp", "service_options"),
    ("endpoint", "net/endpoint.hpp", "listen"),
    ("deadlines", "deadline/deadlines.hpp", "deadlines"),
    ("close_plan", "closing/close_plan.hpp", "close"),
    ("limits", "connection/options.hpp", "limits"),
    ("socket_options", "net/socket_options.hpp", "socket"),
    ("keepalive_options", "net/socket_options.hpp", "socket.keepalive"),
    ("tls_options", "net/tls_options.hpp", "tls"),
    ("tls_certificate", "net/tls_options.hpp", "tls.certificate"),
    ("connect_options", "client/connect_options.hpp", "connect_options"),
    ("client_options", "client/client.hpp", "client_options"),
    ("options", "http/serve.hpp", "http::options"),
    ("websocket_options", "http/websocket.hpp", "http::websocket_options"),
    ("files_options", "http/files.hpp", "http::files_options"),
    ("admin_options", "admin/admin.hpp", "admin_options"),
]
ENUMERATIONS = [
    ("close_method", "closing/close_plan.hpp"),
    ("connection_mode", "connection/options.hpp"),
    ("when_full", "connection/options.hpp"),
    ("descriptor_tables", "server/options.hpp"),
    ("client_certificates", "net/tls_options.hpp"),
]
INTRODUCTION = """\
# Options

Generated from the headers by `./dev docs`; do not edit.

Options are aggregates: name the fields you want with designated initialisers, in the order of this page, and leave out the
rest. They are copied and checked when the server is made or `serve()` is called; a value out of bounds throws
`std::invalid_argument`, which names the field, the value and the fix. Times are `dwell::duration`, milliseconds in which
`60s` or `5min` may be written; `dwell::off` switches a deadline off.
"""
FIELD = re.compile(r"(?P<type>.+?) (?P<name>\w+)(?: = (?P<value>[^;]+)|\{(?P<braces>[^;]*)\})?;(?: +///< (?P<doc>.*))?$")
# Defaults as one would say them.
READABLE = [
    (r"std::chrono::seconds\{(\d+)\}", lambda number: f"{number} s"),
    (r"std::chrono::hours\{(\d+)\}", lambda number: f"{number} h"),
    (r"std::size_t\{(\d+)\} \* 1024", lambda kib: f"{int(kib) // 1024} MiB" if int(kib) % 1024 == 0 else f"{kib} KiB"),
    (r"std::uint64_t\{(\d+)\} << 30", "{} GiB".format),
    (r'\.address = "([^"]+)", \.port = (\d+)', "`{}:{}`".format),
    (r"([\d']+)", lambda number: number.replace("'", ",")),
    (r"(true|false)", {"true": "on", "false": "off"}.get),
    (r'("[\w.]+")', str),
    (r"(?:\w+::)?(\w+)", "`{}`".format),
]


TIMES = {"duration": "time", "std::chrono::seconds": "whole seconds"}


class Unreadable(Exception):
    pass


def joined(lines):
    """Comment lines as paragraphs, and what stands there for doxygen as markdown."""
    return re.sub(r"(?<![`\w:])((?:std|dwell)::\w+(?:::\w+)*(?:\(\))?)(?![`\w])", r"`\1`", " ".join(lines).strip())


def body_of(text, kind, name):
    """The comment above a definition, and the lines between its braces."""
    match = re.search(rf"((?:^///[^\n]*\n)*)^{kind} {name}(?: : [\w:]+)? \{{\n(.*?)^\}};", text, re.MULTILINE | re.DOTALL)
    if not match:
        raise Unreadable(f"no {kind} {name}")
    comment = [line.removeprefix("///").strip() for line in match[1].splitlines()]
    return joined(comment), match[2].splitlines()


def without_functions(lines):
    depth = 0
    for line in lines:
        code = line.split("//")[0]
        if depth == 0 and not re.search(r"\) (const )?(noexcept )?\{|operator", code):
            yield line.strip()
        else:
            depth += code.count("{") - code.count("}")


def fields_of(lines):
    """(type, name, default, comment) of each field."""
    comment = []
    for line in filter(None, without_functions(lines)):
        if line.startswith("///"):
            comment.append(line.removeprefix("///").strip())
            continue
        match = FIELD.match(line)
        if not match:
            raise Unreadable(f"not a field on one line: {line}")
        if not (comment or match["doc"]):
            raise Unreadable(f"{match['name']} is not documented")
        default = match["value"] if match["braces"] is None else match["braces"]
        yield match["type"], match["name"], default, match["doc"] or joined(comment)
        comment = []


def enumerators_of(lines):
    comment = []
    for line in lines:
        line = line.strip()
        if line.startswith("///") and not line.startswith("///<"):
            comment.append(line.removeprefix("///").strip())
            continue
        match = re.match(r"(\w+),(?: +///< ?(.*))?$", line)
        if not match:
            raise Unreadable(f"not an enumerator: {line}")
        yield match[1], match[2] or joined(comment)
        comment = []


def readable(value, kind):
    if not value:
        return "not set"
    if value.isdecimal() and kind in TIMES:
        return f"{value} s" if value != "0" else "0"
    for pattern, say in READABLE:
        if match := re.fullmatch(pattern, value):
            return say(*match.groups())
    raise Unreadable(f"no readable form of the default {value}")


def unit_of(kind, documentation):
    kind = re.sub(r"^std::optional<(.*)>$", r"\1", kind).removeprefix("dwell::")
    if kind in TIMES:
        return TIMES[kind]
    if kind == "bool":
        return "on, off"
    if re.fullmatch(r"int|std::size_t|std::u?int\d+_t", kind):
        if re.search(r"\bbytes a second\b", documentation, re.IGNORECASE):
            return "bytes/s"
        return "bytes" if re.search(r"\bbytes\b", documentation, re.IGNORECASE) else "number"
    section = {name: reached_by for name, _, reached_by in STRUCTURES} | {name: name for name, _ in ENUMERATIONS}
    if kind in section:
        return f"[`{kind}`](#{section[kind].replace('.', '')})"
    return "text" if kind == "std::string" else f"`{kind}`"


def page(root):
    headers = root / "framework" / "include" / "dwell"
    parts = [INTRODUCTION]
    for name, path, reached_by in STRUCTURES:
        comment, lines = body_of((headers / path).read_text(), "struct", name)
        namespace = "dwell::http" if path.startswith("http/") else "dwell"
        parts.append(f"## {reached_by}\n\n`{namespace}::{name}`, `<dwell/{path}>`. {comment}\n")
        rows = []
        for kind, field, value, documentation in fields_of(lines):
            unit = unit_of(kind, documentation)
            own_section = unit.startswith("[") and not value
            rows.append((field, unit, "see there" if own_section else readable(value, kind), documentation))
        parts.append("| field | unit | default | what, bounds, reason |\n|---|---|---|---|\n" +
                     "".join(f"| `{row[0]}` | {row[1]} | {row[2]} | {row[3]} |\n" for row in rows))
    for name, path in ENUMERATIONS:
        comment, lines = body_of((headers / path).read_text(), "enum class", name)
        parts.append(f"## {name}\n\n`<dwell/{path}>`. {comment}\n")
        parts.append("| | |\n|---|---|\n" +
                     "".join(f"| `{word}` | {meaning} |\n" for word, meaning in enumerators_of(lines)))
    return "\n".join(parts)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="only say whether the page is up to date")
    parser.add_argument("root", nargs="?", type=pathlib.Path, default=pathlib.Path(__file__).parents[1])
    arguments = parser.parse_args()
    target = arguments.root / "docs" / "options.md"
    try:
        text = page(arguments.root)
    except Unreadable as error:
        sys.exit(f"generate_options.py: {error}")
    if target.is_file() and target.read_text() == text:
        return
    if arguments.check:
        sys.exit("docs/options.md is not what the headers say; run ./dev docs")
    target.write_text(text)
    print("docs/options.md: rewritten")


if __name__ == "__main__":
    main()
