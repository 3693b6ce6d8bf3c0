#!/usr/bin/env python3
"""What scripts/lint sees, and what it leaves alone."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import sys
import unittest
from pathlib import Path

sys.dont_write_bytecode = True

_PATH = str(Path(__file__).resolve().parents[2] / "scripts" / "lint")
_SPEC = importlib.util.spec_from_loader("lint", importlib.machinery.SourceFileLoader("lint", _PATH))
lint = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(lint)


class Lint(unittest.TestCase):
    def found(self, line: str, file: str = "cores/tcp/a.cpp") -> list[str]:
        return lint.check_text(file, line)

    def test_time_chance_threads_and_ports_belong_to_the_host(self) -> None:
        for line in ("    std::random_device rd;", "    std::mt19937_64 g(1);", "    std::thread t(f);", "    std::mutex m;",
                     "    auto n = time(nullptr);", "    auto n = std::time(nullptr);", "    auto n = ::clock();",
                     "    x = rand();", "    const auto id = rte_lcore_id();", "    rte_eal_get_configuration();",
                     "    rte_eth_tx_burst(0, 0, m, 1);", "    auto c = rte_rdtsc_precise();", "    auto e = getenv(\"A\");",
                     "    std::this_thread::yield();", "    auto t = std::chrono::steady_clock::now();"):
            self.assertEqual(len(self.found(line)), 1, line)
            self.assertEqual(self.found(line, "engine/lcore/a.cpp"), [], line)

    def test_headers_are_allowed_by_name(self) -> None:
        for header in ("random", "chrono", "filesystem", "fcntl.h", "sys/socket.h", "rte_timer.h", "thread", "unistd.h"):
            self.assertEqual(len(self.found(f"#include <{header}>")), 1, header)
        self.assertEqual(self.found("#include <fcntl.h>", "lib/config/key_file.cpp"), [])
        self.assertEqual(self.found("#include <vector>"), [])

    def test_state_has_an_owner(self) -> None:
        for line in ("int calls = 0;", "std::vector<int> all;", "inline std::uint64_t n{0};", "thread_local Thing t;",
                     "    static int calls = 0;", "static Table table;", "char buffer[80];"):
            self.assertEqual(len(self.found(line)), 1, line)

    def test_ordinary_lines_are_left_alone(self) -> None:
        for line in ("constexpr int most = 5;", "inline constexpr Row rows[] = {", "const Row* find(int n) {", "struct Row {",
                     "enum class Kind : std::uint8_t { a, b };", "class Leg final : public Core {", "using A = B;",
                     "    int calls = 0;", "Instant Guard::next_deadline() const {", "    leg.open(now);", "    rto.clock(now);",
                     "    sent_time(now);", "// a thread, the time() and rand()", "    say(\"time() is up\");", "namespace a {",
                     "    static constexpr int n = 1;", "}  // namespace", "template <class T>", "static_assert(sizeof(A) == 8);"):
            self.assertEqual(self.found(line), [], line)

    def test_the_simulation_shares_no_code_with_what_it_judges(self) -> None:
        for line in ('#include "lib/wire/tcp.hpp"', '#include "cores/tcp/sender.hpp"', '#include "lib/table/flow_key.hpp"',
                     '#include "cores/protocol/node_core.hpp"', "    tcp::Tcb tcb;", "    wire::parse_frame(m, false, f);"):
            self.assertEqual(len(self.found(line, "tests/sim/a.cpp")), 1, line)
        for line in ('#include "cores/protocol/node.hpp"', '#include "lib/base/time.hpp"', '#include "tests/sim/nic.hpp"',
                     "#include <unistd.h>"):
            self.assertEqual(self.found(line, "tests/sim/a.cpp"), [], line)

    def test_include_directions(self) -> None:
        self.assertEqual(len(self.found('#include "cores/proxy/lane.hpp"')), 1)
        self.assertEqual(self.found('#include "cores/net/interface.hpp"'), [])


if __name__ == "__main__":
    unittest.main()
