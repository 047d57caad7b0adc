"""The rules of this repository that a compiler does not enforce: `check.py [ROOT]`.

Prints one line per violation, `path:line: rule: what is wrong`, and exits with 1 if there is one.
"""

import pathlib
import re
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
PURE = {"deadline", "closing", "base"}
BELOW_CONNECTION = PURE | {"net", "engine"}

# A folder below framework/src and framework/include/dwell: the folders it may include besides
# itself, and the libraries.
LAYERS = {
    "deadline": (PURE, set()),
    "closing": (PURE, set()),
    "base": (PURE, set()),
    "net": (PURE, set()),
    "engine": ({"net", "base", "deadline"}, {"asio"}),
    "connection": (BELOW_CONNECTION, set()),
    "tls": (BELOW_CONNECTION - {"closing"}, {"openssl"}),
    "server": (BELOW_CONNECTION | {"connection", "tls"}, {"asio", "spdlog"}),
    "client": (BELOW_CONNECTION | {"connection", "tls", "server"}, {"asio", "spdlog"}),
    "framing": (BELOW_CONNECTION - {"engine"} | {"connection"}, set()),
    "http": (BELOW_CONNECTION - {"engine"} | {"connection", "framing", "server"}, {"llhttp", "openssl", "spdlog"}),
    "kernel": ({"net", "base"}, {"libmnl"}),
    "admin": (BELOW_CONNECTION - {"engine"} | {"connection", "tls", "server", "http", "kernel"},
              {"prometheus", "nlohmann", "spdlog"}),
    "systemd": ({"net", "server"}, {"systemd"}),
    "testing": (BELOW_CONNECTION | {"connection", "tls", "server", "client"}, {"asio", "spdlog"}),
}
# The one file below a pure folder that may use a library.
EXCEPTIONS = {"base/log": {"spdlog"}}
# What a pure folder may take from outside the standard: iovec is a struct, poisoning a note to ASan.
PURE_HEADERS = {"sys/uio.h", "sanitizer/asan_interface.h"}
LIBRARIES = {"asio", "spdlog", "openssl", "llhttp", "libmnl", "systemd", "prometheus", "nlohmann", "fmt",
             "CLI", "gtest", "gmock", "benchmark"}
NAMESPACES = {"", "dwell", "dwell::http", "dwell::testing"}


@dataclass
class Source:
    path: str
    text: str

    @cached_property
    def lines(self):
        return list(enumerate(self.text.splitlines(), 1))

    @cached_property
    def includes(self):
        """(line number, quote, path) of each #include."""
        found = ((number, INCLUDE.match(line)) for number, line in self.lines)
        return [(number, match[1], match[2]) for number, match in found if match]

    @property
    def is_cpp(self):
        return self.path.endswith((".cpp", ".hpp"))

    @property
    def is_public(self):
        return self.path.startswith("framework/include/")

    @property
    def component(self):
        """Path below framework/src or framework/include/dwell without its ending, else None."""
        match = re.match(r"framework/(?:src|include/dwell)/(.+)\.[ch]pp$", self.path)
        return match and match[1]

    @property
    def folder(self):
        return folder_of(self.component) if self.component else None


def folder_of(component):
    return component.split("/")[0] if "/" in component else ""


def library_of(include):
    """The third-party library that <include> belongs to, or None."""
    name = re.split(r"[/.]", include)[0]
    return name if name in LIBRARIES else None


def load(root):
    """Every text file that git knows of or would, or every file at all outside of git."""
    listing = subprocess.run(["git", "-C", root, "ls-files", "-co", "--exclude-standard"],
                             capture_output=True, text=True)
    if listing.returncode == 0:
        paths = listing.stdout.splitlines()
    else:
        paths = [str(path.relative_to(root)) for path in pathlib.Path(root).rglob("*")]
    sources = []
    for path in sorted(path for path in paths if (root / path).is_file()):
        try:
            sources.append(Source(path, (root / path).read_text()))
        except UnicodeDecodeError:
            pass  # not text
    return sources


def matches(sources, pattern, message):
    for source in sources:
        for number, line in source.lines:
            if re.search(pattern, line):
                yield source.path, number, message


# --- The rules: each takes all sources and yields (path, line, message).


def folder_layers(sources):
    """A folder includes only what the table allows."""
    for source in sources:
        if not source.folder:
            continue
        if source.folder not in LAYERS:
            yield source.path, 1, f"folder {source.folder} is not in the table of tests/rules/check.py"
            continue
        folders, libraries = LAYERS[source.folder]
        libraries = libraries | EXCEPTIONS.get(source.component, set())
        for number, quote, include in source.includes:
            own = include.removeprefix("dwell/") if include.startswith("dwell/") else None
            if quote == '"':
                if own is not None:
                    yield source.path, number, f'"{include}": public headers are <{include}>'
                    continue
                own = include
            if own == "asio.hpp" and quote == "<":
                own, include = None, "asio.hpp"
            if own is not None:
                target = folder_of(own) if "/" in own else ""
                if ".." in own:
                    yield source.path, number, f"{include}: name a header from the top, without .."
                elif quote == '"' and not target:
                    yield source.path, number, f"{include}: name a header with its folder"
                elif own == "dwell.hpp":
                    yield source.path, number, "dwell.hpp is for users; include what is needed"
                elif target and target != source.folder and target not in folders:
                    yield source.path, number, f"{source.folder}/ may not include {target}/"
            elif library_of(include):
                if library_of(include) not in libraries:
                    yield source.path, number, f"{source.folder}/ may not use {library_of(include)}"
            elif (source.folder in PURE and not libraries and re.search(r"[/.]", include)
                  and include not in PURE_HEADERS):
                yield source.path, number, f"{source.folder}/ is pure: only the standard library"


def public_headers_are_light(sources):
    """No public header but asio.hpp includes another library, and none a private header."""
    for source in sources:
        if not source.is_public:
            continue
        for number, quote, include in source.includes:
            if quote == '"':
                yield source.path, number, f'"{include}": public headers include <dwell/...>'
            elif source.path.endswith("include/dwell/asio.hpp") and library_of(include) == "asio":
                continue
            elif library_of(include) and include != "spdlog/fwd.h":
                yield source.path, number, f"<{include}>: declare forward what is needed"


def private_headers_stay_private(sources):
    """Only unit tests, model tests, micro-benchmarks and what takes memory away see framework/src."""
    private = {source.path.removeprefix("framework/src/") for source in sources
               if source.path.startswith("framework/src/")}
    for source in sources:
        if not source.is_cpp or source.path.startswith(
                ("framework/src/", "framework/include/", "tests/unit/", "tests/model/", "tests/fault/scarce_",
                 "bench/micro/")):
            continue
        for number, _, include in source.includes:
            if include in private or "framework/src" in include:
                yield source.path, number, f"{include}: private to the framework"


def one_clock(sources):
    """The clock is read in at most one file of the framework."""
    pattern = r"(steady|system|high_resolution)_clock::now|clock_gettime|gettimeofday"
    reads = list(matches([source for source in sources if source.path.startswith("framework/")],
                         pattern, "the clock is read in one file only, and comes in from there"))
    if len({path for path, _, _ in reads}) > 1:
        yield from reads


def no_shared_connection(sources):
    """A connection is owned by its loop."""
    framework = [source for source in sources if source.path.startswith("framework/")]
    yield from matches(framework, r"shared_ptr<[^>]*\bconnection\b", "a loop owns its connections")


def finished(sources):
    """Nothing is left for later in the code."""
    words = "|".join(("TO" "DO", "FIX" "ME", "XX" "X", "HA" "CK"))
    code = [source for source in sources if not source.path.endswith(".md")]
    yield from matches(code, rf"\b({words})\b", "do it, or write an issue")


def no_sleep_in_tests(sources):
    """Tests wait for a condition; only those on real sockets may sleep."""
    tests = [source for source in sources if source.path.startswith("tests/")
             and source.path.endswith((".cpp", ".hpp"))
             and not source.path.startswith("tests/integration/")]
    yield from matches(tests, r"(?<!dwell::)\bsleep_(for|until)\(|\b(u|nano)?sleep\(",
                       "wait for a condition with a deadline")


def short_files(sources):
    """A file of the framework fits into a head."""
    for source in sources:
        if source.path.startswith("framework/") and len(source.lines) > 400:
            yield source.path, 401, f"{len(source.lines)} lines; 400 are too many already"


def few_namespaces(sources):
    """dwell, dwell::http and dwell::testing, each inline v0."""
    for source in sources:
        if not source.component or not source.is_cpp:
            continue
        # What another library's type is called may be said, nothing else added there.
        text = re.sub(r"namespace (asio|spdlog|prometheus) \{(\s*(class|struct) \w+;)+\s*\}",
                      lambda match: "\n" * match[0].count("\n"), source.text)
        for number, line in enumerate(text.splitlines(), 1):
            match = re.match(r"\s*(?:inline\s+)?namespace(?:\s+([\w:]+(?:::inline \w+)?))?\s*\{", line)
            if not match:
                continue
            name = re.sub(r"(^|::)(inline )?v0$", "", match[1] or "")
            if not match[1] and source.path.endswith(".hpp"):
                yield source.path, number, "an anonymous namespace in a header is one per file"
            elif name not in NAMESPACES:
                yield source.path, number, f"namespace {match[1]}"


def include_once(sources):
    """Headers begin with #pragma once."""
    for source in sources:
        if source.path.endswith(".hpp") and "#pragma once" not in source.text:
            yield source.path, 1, "no #pragma once"


RULES = [folder_layers, public_headers_are_light, private_headers_stay_private, one_clock,
         no_shared_connection, finished, no_sleep_in_tests, short_files, few_namespaces,
         include_once]


def violations(root):
    sources = load(pathlib.Path(root))
    for rule in RULES:
        for path, line, message in rule(sources):
            yield f"{path}:{line}: {rule.__name__}: {message}"


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parents[2])
    found = list(violations(root))
    print(*found, sep="\n", end="\n" if found else "")
    print(f"{len(RULES)} rules, {len(found)} violations")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
