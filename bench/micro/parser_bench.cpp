// What a request's head costs: finding its end, reading it.

#include "http/block_scanner.hpp"
#include "http/head.hpp"

#include <benchmark/benchmark.h>

#include <array>
#include <cstdlib>
#include <string_view>

namespace {

using dwell::http::block_scanner;
using dwell::http::head_limits;

/// As clients send them: wrk, curl with a body, a browser.
constexpr std::array<std::string_view, 3> heads{
    "GET / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n",
    "POST /orders HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n"
    "Content-Type: application/json\r\nContent-Length: 48\r\n\r\n",
    "GET /articles/long-lived-connections?page=2 HTTP/1.1\r\nHost: www.shop.example\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
    "Accept: "
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n"
    "Accept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n"
    "Referer: https://www.shop.example/articles\r\nConnection: keep-alive\r\n"
    "Cookie: session=8d1f3c0c2b7f4f6d9b0f; theme=dark; seen=1,2,3,5,8,13,21,34,55,89\r\n"
    "Upgrade-Insecure-Requests: 1\r\nSec-Fetch-Dest: document\r\nSec-Fetch-Mode: navigate\r\n"
    "Sec-Fetch-Site: same-origin\r\nSec-Fetch-User: ?1\r\nPriority: u=0, i\r\n\r\n"};

std::string_view chosen(const benchmark::State& state) {
  return heads.at(static_cast<std::size_t>(state.range(0)));
}

void scan_head(benchmark::State& state) {
  const std::string_view text = chosen(state);
  const head_limits limits;
  for (auto _ : state) {
    block_scanner scanner{block_scanner::kind::head};
    const auto found = scanner.scan(text, limits);
    if (found.size != text.size()) std::abort();
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
}
BENCHMARK(scan_head)->DenseRange(0, 2);

// The same a byte at a time, as a slow peer sends it.
void scan_head_by_bytes(benchmark::State& state) {
  const std::string_view text = chosen(state);
  const head_limits limits;
  for (auto _ : state) {
    block_scanner scanner{block_scanner::kind::head};
    for (std::size_t come = 1; come <= text.size(); ++come) {
      benchmark::DoNotOptimize(scanner.scan(text.substr(0, come), limits));
    }
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
}
BENCHMARK(scan_head_by_bytes)->DenseRange(0, 2);

// With a body llhttp reads the head as well.
void read_head(benchmark::State& state) {
  const std::string_view text = chosen(state);
  const head_limits limits;
  for (auto _ : state) {
    dwell::http::head found;
    if (dwell::http::read_head(text, limits, found)) std::abort();
    benchmark::DoNotOptimize(found);
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
}
BENCHMARK(read_head)->DenseRange(0, 2);

}  // namespace
