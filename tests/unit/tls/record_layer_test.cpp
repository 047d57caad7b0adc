// The records of TLS 1.3: against the traces of RFC 8448, against itself, and against what is
// wrong.
#include "tls/record_layer.hpp"

#include "tls/record_keys.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace {

using dwell::bytes;
using dwell::record_layer;
using state = record_layer::state;

std::string from_hex(std::string_view hex) {
  std::string data;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    data += static_cast<char>(std::stoi(std::string{hex.substr(i, 2)}, nullptr, 16));
  }
  return data;
}

std::string text_of(const std::vector<std::byte>& data) { return std::string{bytes{data}.text()}; }

record_layer::traffic secret(std::string_view raw, std::uint64_t records = 0) {
  record_layer::traffic made;
  std::copy(raw.begin(), raw.end(), made.secret.begin());
  made.size = raw.size();
  made.records = records;
  return made;
}

const record_layer::suite& suite_of(std::string_view name) {
  SSL_CTX* const context = SSL_CTX_new(TLS_method());
  const record_layer::suite* found = nullptr;
  STACK_OF(SSL_CIPHER)* const all = SSL_CTX_get_ciphers(context);
  for (int i = 0; i < sk_SSL_CIPHER_num(all); ++i) {
    const SSL_CIPHER* const each = sk_SSL_CIPHER_value(all, i);
    if (SSL_CIPHER_get_name(each) == name) found = record_layer::find(each);
  }
  SSL_CTX_free(context);
  if (found == nullptr) throw std::runtime_error{"no such suite: " + std::string{name}};
  return *found;
}

/// One end; what it says is picked up by `say` and `goodbye`.
struct end {
  end(const record_layer::suite& suite, const record_layer::traffic& ours,
      const record_layer::traffic& theirs, std::uint64_t records_per_key = std::uint64_t{1} << 24U)
      : records{suite, ours, theirs, records_per_key} {}

  std::string say(std::string_view data) {
    std::vector<std::byte> out;
    records.send(data, out);
    return text_of(out);
  }
  std::string goodbye() {
    std::vector<std::byte> out;
    records.end(out);
    return text_of(out);
  }
  /// What the handler sees; `answer`: what the other end is told.
  std::string hear(std::string_view raw) {
    std::vector<std::byte> room(raw.size() + 18 * 1024), out;
    const record_layer::received got = records.receive(raw, room, out);
    now = got.now;
    answer = text_of(out);
    return std::string{bytes{room.data(), got.size}.text()};
  }

  record_layer records;
  state now = state::open;
  std::string answer;
};

struct two_ends {
  explicit two_ends(std::string_view suite, std::uint64_t records_per_key = std::uint64_t{1} << 24U)
      : here{suite_of(suite), made('a', suite), made('b', suite), records_per_key},
        there{suite_of(suite), made('b', suite), made('a', suite)} {}
  static record_layer::traffic made(char of, std::string_view suite) {
    return secret(std::string(suite_of(suite).hash_size, of));
  }
  end here, there;
};

constexpr std::string_view all_suites[] = {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384",
                                           "TLS_CHACHA20_POLY1305_SHA256"};

/// A record of any type, as the other end of `where` would protect it.
std::string forged(const record_layer::suite& suite, std::string_view secret, std::uint64_t number,
                   std::uint8_t type, std::string_view content) {
  std::array<unsigned char, 32> key{};
  std::array<unsigned char, 12> iv{};
  dwell::expander from{suite,
                       {reinterpret_cast<const unsigned char*>(secret.data()), secret.size()}};
  from.expand("key", {key.data(), suite.key_size});
  from.expand("iv", iv);
  iv[11] = static_cast<unsigned char>(iv[11] ^ number);
  const std::size_t size = content.size() + 17;
  std::string record{"\x17\x03\x03", 3};
  record += static_cast<char>(size >> 8U);
  record += static_cast<char>(size & 0xffU);
  std::string body(size, '\0');
  static std::uint64_t key_number = std::uint64_t{1} << 60U;
  EXPECT_TRUE(encrypt(suite, {++key_number, key, iv}, record, content, type,
                      reinterpret_cast<unsigned char*>(body.data())));
  return record + body;
}

// ── RFC 8448, 3 ──

const std::string client_secret =
    from_hex("9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5");
const std::string server_secret =
    from_hex("a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643");
constexpr std::string_view from_client =
    "1703030043a23f7054b62c94d0affafe8228ba55cbefacea42f914aa66bcab3f2b9819a8a5b46b395bd54a9a20441e"
    "2b62974e1f5a6292a2977014bd1e3deae63aeebb21694915e40a";
constexpr std::string_view from_server =
    "17030300432e937e11ef4ac740e538ad36005fc4a46932fc3225d05f82aa1b36e30efaf97d90e6dffc602dcb501a59"
    "a8fcc49c4bf2e5f0a21c0047c2abf332540dd032e167c2955d";
constexpr std::string_view servers_goodbye = "1703030013b58fd67166ebf599d24720cfbe7efa7a8864a9";

TEST(record_layer, is_as_the_traces_of_rfc_8448) {
  std::string content;
  for (char c = 0; c < 50; ++c) content += c;
  end server{suite_of("TLS_AES_128_GCM_SHA256"), secret(server_secret, 1), secret(client_secret)};
  EXPECT_EQ(server.hear(from_hex(from_client)), content);
  EXPECT_EQ(server.say(content), from_hex(from_server));
  EXPECT_EQ(server.goodbye(), from_hex(servers_goodbye));
  EXPECT_EQ(server.goodbye(), "") << "once";
}

// ── against itself ──

TEST(record_layer, carries_anything_however_it_is_cut) {
  for (const std::string_view suite : all_suites) {
    two_ends ends{suite};
    std::string sent;
    for (std::size_t i = 0; i < 40'000; ++i) sent += static_cast<char>(i * i >> 3U);
    const std::string raw = ends.here.say(sent);
    EXPECT_EQ(raw.size(), sent.size() + std::size_t{3} * 22) << "records of 16 KiB";
    std::string got;
    for (std::size_t at = 0, step = 1; at < raw.size(); at += step, step = step * 3 % 5'003) {
      got += ends.there.hear(std::string_view{raw}.substr(at, step));
    }
    EXPECT_TRUE(got == sent) << suite;
    EXPECT_FALSE(ends.there.records.holds_part());
    EXPECT_EQ(ends.there.now, state::open);
  }
}

TEST(record_layer, two_connections_of_a_thread_keep_their_keys_apart) {
  two_ends one{all_suites[1]}, other{all_suites[1]};
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(one.there.hear(one.here.say("to one")), "to one");
    EXPECT_EQ(other.there.hear(other.here.say("to another")), "to another");
    EXPECT_EQ(one.here.hear(one.there.say("back")), "back");
    EXPECT_EQ(one.there.hear(one.here.say("once more")), "once more");
  }
}

TEST(record_layer, replaces_a_key_that_has_protected_enough) {
  two_ends ends{all_suites[0], 3};
  std::size_t longer = 0;
  for (int i = 0; i < 14; ++i) {
    const std::string raw = ends.here.say("x");
    longer += raw.size() > 23 ? 1U : 0U;
    ASSERT_EQ(ends.there.hear(raw), "x") << i;
  }
  EXPECT_EQ(longer, 4U) << "KeyUpdate after each three";
}

// ── KeyUpdate from the peer ──

class key_updates : public ::testing::Test {
 protected:
  const record_layer::suite& suite = suite_of("TLS_AES_256_GCM_SHA384");
  const std::string theirs = std::string(48, 't'), ours = std::string(48, 'o');
  end server{suite, secret(ours), secret(theirs)};
  end client{suite, secret(theirs), secret(ours)};

  /// As the client's `number`th record.
  std::string record(std::uint64_t number, std::uint8_t type, std::string_view content) const {
    return forged(suite, theirs, number, type, content);
  }
};

constexpr std::string_view asks{"\x18\0\0\x01\x01", 5}, tells{"\x18\0\0\x01\0", 5};

TEST_F(key_updates, are_answered_when_they_ask) {
  EXPECT_EQ(server.hear(record(0, SSL3_RT_HANDSHAKE, asks)), "");
  EXPECT_EQ(server.now, state::open);
  EXPECT_EQ(client.hear(server.answer), "") << "its KeyUpdate, under the old key";
  EXPECT_EQ(client.now, state::open);
  EXPECT_EQ(client.hear(server.say("under the new one")), "under the new one");
  server.hear(record(1, SSL3_RT_APPLICATION_DATA, "under the client's old key"));
  EXPECT_EQ(server.now, state::failed);
}

TEST_F(key_updates, may_come_in_parts_with_nothing_between) {
  EXPECT_EQ(server.hear(record(0, SSL3_RT_HANDSHAKE, tells.substr(0, 2))), "");
  EXPECT_TRUE(server.records.holds_part());
  EXPECT_EQ(server.hear(record(1, SSL3_RT_HANDSHAKE, tells.substr(2))), "");
  EXPECT_EQ(server.now, state::open);
  EXPECT_EQ(server.answer, "") << "it did not ask";

  end other{suite, secret(ours), secret(theirs)};
  other.hear(record(0, SSL3_RT_HANDSHAKE, tells.substr(0, 2)) +
             record(1, SSL3_RT_APPLICATION_DATA, "x"));
  EXPECT_EQ(other.now, state::failed);
}

// ── what is wrong ──

TEST_F(key_updates, wrong_records_end_the_connection) {
  struct {
    std::string what, raw;
    std::uint8_t alert;
  } const cases[] = {
      {"a handshake message", record(0, SSL3_RT_HANDSHAKE, std::string_view{"\x01\0\0\0", 4}), 10},
      {"data behind a KeyUpdate", record(0, SSL3_RT_HANDSHAKE, std::string{tells} + '\x18'), 10},
      {"an unknown KeyUpdate", record(0, SSL3_RT_HANDSHAKE, {"\x18\0\0\x01\x02", 5}), 47},
      {"an empty message", record(0, SSL3_RT_HANDSHAKE, ""), 10},
      {"ChangeCipherSpec", record(0, SSL3_RT_CHANGE_CIPHER_SPEC, "\x01"), 10},
      {"no type", record(0, 0, std::string_view{"\0\0", 2}), 10},
      {"half an alert", record(0, SSL3_RT_ALERT, "\x01"), 10},
      {"a number left out", record(1, SSL3_RT_APPLICATION_DATA, "x"), 20},
      {"too much content", record(0, SSL3_RT_APPLICATION_DATA, std::string(16'385, 'x')), 22},
      {"not protected", from_hex("150303000201"), 10},
      {"too long by its header", from_hex("1703034101"), 22},
      {"too short for a tag", from_hex("1703030003616263"), 20},
      {"empty", from_hex("1703030000"), 20},
  };
  for (const auto& [what, raw, alert] : cases) {
    end here{suite, secret(ours), secret(theirs)}, there{suite, secret(theirs), secret(ours)};
    EXPECT_EQ(here.hear(raw), "") << what;
    EXPECT_EQ(here.now, state::failed) << what;
    EXPECT_NE(here.records.failure(), "") << what;
    const std::string expected =
        forged(suite, ours, 0, SSL3_RT_ALERT, std::string{'\x02', static_cast<char>(alert)});
    EXPECT_EQ(here.answer, expected) << what;
    there.hear(here.answer);
    EXPECT_EQ(there.now, state::failed) << what;
    EXPECT_EQ(there.answer, "") << what << ": an alert is not answered";
    EXPECT_EQ(here.hear(record(0, SSL3_RT_APPLICATION_DATA, "x")), "") << what;
  }
}

TEST_F(key_updates, one_changed_bit_is_seen) {
  const std::string good = record(0, SSL3_RT_APPLICATION_DATA, "attack at dawn");
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    end here{suite, secret(ours), secret(theirs)};
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_EQ(here.hear(bad), "") << bit;
    EXPECT_TRUE(here.now == state::failed || here.records.holds_part()) << bit;
  }
}

TEST_F(key_updates, are_bounded_without_data_between) {
  end here{suite, secret(ours), secret(theirs)};
  const std::string cancelled{"\x01\x5a"};
  for (std::uint64_t i = 0; i < 16; ++i) here.hear(record(i, SSL3_RT_ALERT, cancelled));
  EXPECT_EQ(here.now, state::open) << "user_canceled says nothing in TLS 1.3";
  EXPECT_EQ(here.hear(record(16, SSL3_RT_APPLICATION_DATA, "x")), "x");
  for (std::uint64_t i = 17; i < 34; ++i) here.hear(record(i, SSL3_RT_ALERT, cancelled));
  EXPECT_EQ(here.now, state::failed);
}

TEST_F(key_updates, nothing_counts_after_the_end) {
  EXPECT_EQ(server.hear(record(0, SSL3_RT_ALERT, {"\x01\0", 2}) + "whatever else"), "");
  EXPECT_EQ(server.now, state::ended);
  EXPECT_FALSE(server.records.holds_part());
  EXPECT_EQ(client.hear(server.say("the answer")), "the answer");
}

}  // namespace
