// A TLS server on the simulated engine. Either the input is what it is sent, or it says what
// becomes of the records that a client of OpenSSL's sends: cut, lost, doubled, swapped, altered,
// with something in between.
#include <dwell/dwell.hpp>

#include "fuzz/plan.hpp"
#include "support/tls_session.hpp"

#include <openssl/rand.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <utility>

// So that an input does the same each time: see deterministic().
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

namespace {

using namespace dwell::testing;
using namespace std::chrono_literals;

constexpr std::size_t header_size = 5;  // of a record: type, version, length
constexpr std::size_t most_records = 200;

// Nobody's secret. Made each time, its signature would have another length each time.
const char* const chain = R"(-----BEGIN CERTIFICATE-----
MIIBczCCARmgAwIBAgIUWcHkLaI9ezH7zvXX82k6W75gPd8wCgYIKoZIzj0EAwIw
DzENMAsGA1UEAwwEZnV6ejAeFw0yNjExMjMwMjQ0MTFaFw0zNjExMjAwMjQ0MTFa
MA8xDTALBgNVBAMMBGZ1enowWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAT69Y19
qu1RmElZrBgN+5E5Q8N7hbLAbLivg7BXbg+p+W5kRy9dYgE1aU6Hf4cX3YGyIxH2
M+jw1y2QHs895qNAo1MwUTAdBgNVHQ4EFgQUqn4L9HqFmF5uc3o4ub4KVYVTVr4w
HwYDVR0jBBgwFoAUqn4L9HqFmF5uc3o4ub4KVYVTVr4wDwYDVR0TAQH/BAUwAwEB
/zAKBggqhkjOPQQDAgNIADBFAiBtWZ9EsIjZMhxLgC2CxjAoT/TSTrWUQvQaCTwy
j1oeFwIhAJ4jSEO//vCKYeeMXi5z425tGd9KnVGKpg+0zdnpmnA6
-----END CERTIFICATE-----
)";
const char* const key = R"(-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgOty5o96GlTlvdnT+
G/flPttRJTWWRo3YVIig1E4etoChRANCAAT69Y19qu1RmElZrBgN+5E5Q8N7hbLA
bLivg7BXbg+p+W5kRy9dYgE1aU6Hf4cX3YGyIxH2M+jw1y2QHs895qNA
-----END PRIVATE KEY-----
)";

// ── the same randomness for each run of an input ──

std::uint64_t random_state = 0;

int fill(unsigned char* to, int count) {
  for (int i = 0; i < count; ++i) {
    random_state = random_state * 6364136223846793005U + 1442695040888963407U;
    to[i] = static_cast<unsigned char>(random_state >> 56U);
  }
  return 1;
}

void deterministic(std::uint64_t seed) {
  static const RAND_METHOD method{.seed = [](const void*, int) { return 1; },
                                  .bytes = fill,
                                  .cleanup = nullptr,
                                  .add = [](const void*, int, double) { return 1; },
                                  .pseudorand = fill,
                                  .status = [] { return 1; }};
  RAND_set_rand_method(&method);
  random_state = seed;
}

// ── the server ──

dwell::service_options options_of(const plan& what) {
  dwell::service_options options{.tls = dwell::tls_options{.certificate = {chain, key}}};
  if ((what.variant & 4U) != 0) options.close.finished = dwell::close_method::abort_after_fin;
  if ((what.variant & 8U) != 0) options.tls->protocols = {"h2", "http/1.1"};
  return options;
}

dwell::task<> echo(dwell::connection& peer) {
  while (auto data = co_await peer.read()) co_await peer.write(data);
}

dwell::handler handler_of(const plan& what) {
  if ((what.variant & 2U) != 0) return echo;
  return dwell::callbacks<>{
      .on_data = [](dwell::connection& peer, dwell::no_session&, dwell::bytes data) {
        peer.send(data);
        return data.size();
      }};
}

/// Whatever it is sent, a server of TLS says records (RFC 8446, 5.1).
void expect_records(const peer& client) {
  std::string_view said = client.received();
  while (said.size() >= header_size) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(said[i]); };
    // (OpenSSL's alerts have the version of what they object to, whatever that says.)
    require(byte(0) >= 20 && byte(0) <= 23, "the server says records");
    const std::size_t size = header_size + byte(3) * std::size_t{256} + byte(4);
    require(size <= header_size + 16'384 + 256, "no record is too large");
    if (size > said.size()) break;
    said.remove_prefix(size);
  }
  const bool cut = !client.got_end() || client.got_reset();
  require(said.empty() || cut, "records are whole, before an orderly end");
}

// ── a client, and what becomes of its records ──

struct step {
  std::uint8_t what = 0, a = 0, b = 0;
  std::size_t number() const { return a * std::size_t{256} + b; }
};

class tampered_client {
 public:
  tampered_client(const plan& what, simulation& network, dwell::server& against,
                  std::string_view steps)
      : network_{network},
        server_{against},
        socket_{network.connect(against)},
        session_{{.version = (what.variant & 16U) != 0 ? TLS1_2_VERSION : TLS1_3_VERSION}},
        steps_{steps} {}

  /// True when nothing was done to it that TLS objects to.
  bool run() {
    try {
      for (std::size_t turn = 0; turn < 60; ++turn) {
        pump();
        if (session_.is_open() && turn % 8 == 7) write(std::string(turn * 50, 'm'));
        network_.advance(2ms);
      }
      pump();
      session_.write_close_notify();
      pump();
      socket_.shutdown_send();
      for (std::size_t turn = 0; turn < 60; ++turn) {  // what it is still sent
        network_.advance(50ms);
        pump();
      }
    } catch (const std::runtime_error&) {  // the server's alert, or bytes that were not TLS
      spoilt_ = true;
    }
    socket_.shutdown_send();
    return !spoilt_;
  }

  const peer& socket() const { return socket_; }
  const std::string& written() const { return written_; }
  const std::string& echoed() const { return echoed_; }

 private:
  void pump() {
    const std::string_view all = socket_.received();
    session_.feed(all.substr(fed_));
    fed_ = all.size();
    if (!session_.is_open()) session_.handshake();
    if (session_.is_open()) {
      for (std::string data = session_.read(16'384); !data.empty(); data = session_.read(16'384)) {
        echoed_ += data;
      }
    }
    send_records();
  }

  void write(const std::string& data) {
    if (data.empty()) return;
    session_.write(data);
    written_ += data;
  }

  void send_records() {
    std::string& out = session_.unsent();
    while (out.size() >= header_size && records_ < most_records) {
      const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(out[i]); };
      const std::size_t size = header_size + byte(3) * std::size_t{256} + byte(4);
      std::string record = out.substr(0, size);
      out.erase(0, size);
      ++records_;
      treat(std::move(record));
    }
    out.clear();
  }

  step next_step() {
    step made;
    const std::size_t size = std::min<std::size_t>(3, steps_.size());
    std::memcpy(&made, steps_.data(), size);
    steps_.remove_prefix(size);
    return made;
  }

  void treat(std::string record) {
    const step now = next_step();
    const std::string held = std::exchange(held_, {});
    switch (now.what % 16) {
      case 1:
        record.clear();
        spoilt_ = true;
        break;
      case 2:
        record += std::string{record};
        spoilt_ = true;
        break;
      case 3:
        held_ = std::exchange(record, {});
        spoilt_ = true;
        break;
      case 4: {
        const std::size_t bit = now.number() % (record.size() * 8);
        record[bit / 8] = static_cast<char>(record[bit / 8] ^ (1 << bit % 8));
        spoilt_ = true;
        break;
      }
      case 5:
        record.resize(now.number() % record.size());
        spoilt_ = true;
        break;
      case 6: {
        const std::size_t cut = now.number() % record.size();
        socket_.send(std::string_view{record}.substr(0, cut));
        network_.advance(dwell::duration{now.a % 8});
        record.erase(0, cut);
        break;
      }
      case 7:
        record[0] = static_cast<char>(now.a);
        spoilt_ = true;
        break;
      case 8: {
        record.append(1, static_cast<char>(now.a)).append("\x03\x03", 2).append(1, '\0');
        record.append(1, static_cast<char>(now.b)).append(now.b, static_cast<char>(now.a));
        spoilt_ = true;
        break;
      }
      case 9:
        record[3] = static_cast<char>(now.a);
        record[4] = static_cast<char>(now.b);
        spoilt_ = true;
        break;
      case 10:
        if (session_.is_open()) session_.write_key_update(now.a % 2 == 1);
        if (++key_updates_ > 8) spoilt_ = true;
        break;
      case 11:
        if (session_.is_open()) write(std::string(now.number() % 20'000, 'w'));
        break;
      case 12:
        session_.write_close_notify();
        spoilt_ = true;
        break;
      case 13:
        socket_.shutdown_send();
        spoilt_ = true;
        break;
      case 14:
        server_.drain();
        spoilt_ = true;
        break;
      case 15:  // longer than a deadline, if often
        network_.freeze(server_, dwell::duration{now.number() % 3'000});
        spoilt_ = true;
        break;
      default: break;
    }
    if (!record.empty()) socket_.send(record);
    if (!held.empty()) socket_.send(held);
  }

  simulation& network_;
  dwell::server& server_;
  peer socket_;
  dwell::tls_session session_;
  std::string_view steps_;
  std::string held_, written_, echoed_;
  std::size_t fed_ = 0, records_ = 0, key_updates_ = 0;
  bool spoilt_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input{reinterpret_cast<const char*>(data), size};
  const plan what = read_plan(input);
  const std::string_view rest = input.substr(std::min<std::size_t>(input.size(), 8));
  deterministic(what.network.seed);
  simulation network{what.network};
  auto& server = network.serve(options_of(what), handler_of(what));
  if ((what.variant & 1U) == 0) {
    const std::vector<peer> clients = play(what, network, server);
    expect_orderly_end(network, server, clients);
    for (const peer& each : clients) expect_records(each);
    return 0;
  }
  tampered_client client{what, network, server, rest};
  const bool untouched = client.run();
  network.set_faults({});
  const auto over = [&client] { return !client.socket().is_open(); };
  if (!network.run_until(over, 24h)) fail("a connection is still there after a day");
  network.advance(1min);
  expect_orderly_end(network, server, {client.socket()});
  expect_records(client.socket());
  require(client.written().starts_with(client.echoed()), "an echo, and nothing else");
  if (untouched && !what.faulty) {
    require(client.echoed() == client.written(), "what was not touched comes back");
  }
  return 0;
}
