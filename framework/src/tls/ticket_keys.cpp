#include "tls/ticket_keys.hpp"

#include "tls/tls_filter.hpp"

#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include <algorithm>
#include <utility>

namespace dwell::inline v0 {
namespace {

int index_of_keys() {
  static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

/// Fetched once a thread; EVP_aes_256_cbc() would be looked up for each ticket. Null: out of
/// memory.
const EVP_CIPHER* ticket_cipher() {
  thread_local cipher_ptr fetched;
  if (!fetched) fetched.reset(EVP_CIPHER_fetch(nullptr, "AES-256-CBC", nullptr));
  return fetched.get();
}

bool begin_mac(EVP_MAC_CTX* mac, std::span<unsigned char> key) {
  char digest[] = "SHA256";
  const std::array<OSSL_PARAM, 3> how{
      OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key.data(), key.size()),
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
      OSSL_PARAM_construct_end()};
  return EVP_MAC_CTX_set_params(mac, how.data()) == 1;
}

}  // namespace

void ticket_keys::seal(SSL_CTX& context) {
  SSL_CTX_set_ex_data(&context, index_of_keys(), this);
  SSL_CTX_set_tlsext_ticket_key_evp_cb(&context, on_ticket);
}

/// As SSL_CTX_set_tlsext_ticket_key_evp_cb(3) wants it: 1 done, 2 done and wants a new ticket, 0
/// a full handshake, -1 failed.
int ticket_keys::on_ticket(SSL* of, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
                           EVP_MAC_CTX* mac, int sealing) {
  auto& self =
      *static_cast<ticket_keys*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(of), index_of_keys()));
  key with;
  if (ticket_cipher() == nullptr) return -1;
  if (sealing == 1) {
    const auto newest = self.current(tls_filter::now());
    if (!newest || RAND_bytes(iv, EVP_CIPHER_get_iv_length(ticket_cipher())) != 1) return -1;
    with = *newest;
    std::ranges::copy(with.name, name);
    return begin_mac(mac, with.mac) &&
                   EVP_EncryptInit_ex(cipher, ticket_cipher(), nullptr, with.cipher.data(), iv) == 1
               ? 1
               : -1;
  }
  const use found = self.find(name, tls_filter::now(), with);
  if (found == use::unknown) return 0;
  if (!begin_mac(mac, with.mac) ||
      EVP_DecryptInit_ex(cipher, ticket_cipher(), nullptr, with.cipher.data(), iv) != 1) {
    return -1;
  }
  // A ticket of TLS 1.3 is for one use (RFC 8446, C.4): there is always another one.
  return found == use::current && SSL_version(of) < TLS1_3_VERSION ? 1 : 2;
}

std::optional<ticket_keys::key> ticket_keys::current(std::uint64_t now) {
  const std::lock_guard lock{mutex_};
  return rotate(now) ? current_ : std::nullopt;
}

ticket_keys::use ticket_keys::find(const unsigned char* name, std::uint64_t now, key& found) {
  const std::lock_guard lock{mutex_};
  if (!rotate(now)) return use::unknown;
  for (const auto& [which, is] :
       {std::pair{&current_, use::current}, std::pair{&previous_, use::previous}}) {
    if (*which && std::equal((*which)->name.begin(), (*which)->name.end(), name)) {
      found = **which;
      return is;
    }
  }
  return use::unknown;
}

/// The clocks of two loops may be a turn apart. False: no random numbers.
bool ticket_keys::rotate(std::uint64_t now) {
  const auto lifetime = static_cast<std::uint64_t>(lifetime_.count());
  const std::uint64_t age = current_ && now > current_->made_at ? now - current_->made_at : 0;
  if (current_ && age < lifetime) return true;
  key fresh;
  fresh.made_at = now;
  if (RAND_bytes(fresh.name.data(), fresh.name.size()) != 1 ||
      RAND_priv_bytes(fresh.cipher.data(), key_size) != 1 ||
      RAND_priv_bytes(fresh.mac.data(), key_size) != 1) {
    return false;
  }
  previous_ = age < 2 * lifetime ? current_ : std::nullopt;
  current_ = fresh;
  return true;
}

}  // namespace dwell::inline v0
