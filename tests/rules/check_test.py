"""Each rule of check.py finds what is planted for it, and nothing in a tree that is in order."""

import pathlib
import tempfile
import unittest

import check

HEADER = "#pragma once\n"

# rule: (path, text) that break it and no other rule.
PLANTED = {
    "folder_layers": [
        ("framework/src/deadline/a.cpp", '#include "engine/loop.hpp"\n'),
        ("framework/src/deadline/a.cpp", "#include <sys/socket.h>\n"),
        ("framework/src/base/a.cpp", "#include <spdlog/spdlog.h>\n"),
        ("framework/src/closing/a.cpp", "#include <asio.hpp>\n"),
        ("framework/src/engine/a.cpp", "#include <dwell/connection/connection.hpp>\n"),
        ("framework/src/connection/a.cpp", '#include "server/server.hpp"\n'),
        ("framework/src/server/a.cpp", '#include "testing/simulation.hpp"\n'),
        ("framework/src/server/a.cpp", "#include <openssl/ssl.h>\n"),
        ("framework/src/server/a.cpp", '#include "../connection/a.hpp"\n'),
        ("framework/src/server/a.cpp", '#include "admission.hpp"\n'),
        ("framework/src/server/a.cpp", "#include <dwell/dwell.hpp>\n"),
        ("framework/src/server/a.cpp", '#include "dwell/connection/connection.hpp"\n'),
        ("framework/src/utilities/a.cpp", ""),
    ],
    "public_headers_are_light": [
        ("framework/include/dwell/server/a.hpp", HEADER + "#include <asio/io_context.hpp>\n"),
        ("framework/include/dwell/server/a.hpp", HEADER + "#include <spdlog/spdlog.h>\n"),
        ("framework/include/dwell/server/a.hpp", HEADER + '#include "base/slab.hpp"\n'),
    ],
    "private_headers_stay_private": [
        ("tests/simulation/a_test.cpp", '#include "base/log.hpp"\n'),
        ("examples/a.cpp", '#include "../framework/src/base/log.hpp"\n'),
        ("framework/cli/a.cpp", '#include "base/log.hpp"\n'),
    ],
    "one_clock": [("framework/src/server/a.cpp", "auto now = std::chrono::steady_clock::now();\n")],
    "no_shared_connection": [("framework/src/server/a.cpp", "std::shared_ptr<dwell::connection> c;\n")],
    "finished": [("examples/a.cpp", "// TO" "DO: more\n"), ("tests/a.py", "# FIX" "ME\n")],
    "no_sleep_in_tests": [
        ("tests/unit/a_test.cpp", "std::this_thread::sleep_for(1ms);\n"),
        ("tests/model/a_test.cpp", "::usleep(10);\n"),
        ("tests/simulation/a_test.cpp", "sleep(1);\n"),
    ],
    "short_files": [("framework/src/server/a.cpp", "\n" * 401)],
    "few_namespaces": [
        ("framework/src/server/a.cpp", "namespace dwell::detail {\n}\n"),
        ("framework/src/server/a.cpp", "namespace dwell {\nnamespace internal {\n}\n}\n"),
        ("framework/src/server/a.cpp", "namespace dwell::inline v1 {\n}\n"),
        ("framework/include/dwell/server/a.hpp", HEADER + "namespace {\n}\n"),
        ("framework/include/dwell/server/a.hpp", HEADER + "namespace asio {\nusing a = int;\n}\n"),
    ],
    "include_once": [("examples/common/flags.hpp", "int flags();\n")],
}

# A tree in order, which comes close to each rule.
CLEAN = {
    "framework/include/dwell/asio.hpp": HEADER + "#include <asio/awaitable.hpp>\n",
    "framework/include/dwell/server/server.hpp":
        HEADER + "#include <dwell/connection/connection.hpp>\n#include <spdlog/fwd.h>\n"
        "namespace asio { class io_context; }\nnamespace spdlog {\nclass logger;\n}\nnamespace prometheus {\nclass Collectable;\n}\nnamespace dwell::inline v0 {\n}\n",
    "framework/include/dwell/http/router.hpp": HEADER + "namespace dwell::http::inline v0 {\n}\n",
    "framework/src/base/log.hpp": HEADER + '#include <spdlog/logger.h>\n#include "base/slab.hpp"\n',
    "framework/src/base/slab.cpp":
        '#include "base/slab.hpp"\n#include <chrono>\n#include <sys/uio.h>\nnamespace dwell {\nnamespace {\n}\n}\n',
    "framework/src/engine/clock.cpp":
        "#include <sys/epoll.h>\n#include <asio.hpp>\nauto a = steady_clock::now();\n",
    "framework/src/server/handler.cpp": "std::shared_ptr<const connection_handler> target;\n",
    "framework/src/server/server.cpp":
        '#include <dwell/server/server.hpp>\n#include "engine/loop.hpp"\n#include <asio.hpp>\n'
        "#include <spdlog/spdlog.h>\n" + "\n" * 300,
    "tests/unit/slab_test.cpp": '#include "base/slab.hpp"\n',
    "tests/integration/real_test.cpp": "std::this_thread::sleep_for(1ms);\n",
    "tests/docs/handlers.cpp": "co_await dwell::sleep_for(50ms);\n",
    "docs/plan.md": "TO" "DO\n",
}


class Rules(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.root = pathlib.Path(directory.name)
        for path, text in CLEAN.items():
            self.write(path, text)

    def write(self, path, text):
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def test_a_tree_in_order_passes(self):
        self.assertEqual(list(check.violations(self.root)), [])

    def test_every_rule_has_something_planted(self):
        self.assertEqual({rule.__name__ for rule in check.RULES}, set(PLANTED))

    def test_every_rule_finds_what_is_planted(self):
        for rule, plants in PLANTED.items():
            for path, text in plants:
                with self.subTest(rule=rule, path=path, text=text[:60]):
                    self.write(path, text)
                    found = list(check.violations(self.root))
                    (self.root / path).unlink()
                    self.assertTrue(found, "nothing found")
                    for line in found:
                        self.assertIn(f": {rule}: ", line)


if __name__ == "__main__":
    unittest.main()
