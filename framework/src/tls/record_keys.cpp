#include "tls/record_keys.hpp"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>

#include <algorithm>
#include <memory>
#include <new>

namespace dwell::inline v0 {
namespace {

constexpr int tag_size = 16;

constexpr std::array<record_layer::suite, 3> suites{{
    {0x1301, "AES-128-GCM", "SHA256", 16, 32},
    {0x1302, "AES-256-GCM", "SHA384", 32, 48},
    {0x1303, "ChaCha20-Poly1305", "SHA256", 32, 32},
}};

using cipher_context_ptr = std::unique_ptr<EVP_CIPHER_CTX, freed_by<EVP_CIPHER_CTX_free>>;
using mac_ptr = std::unique_ptr<EVP_MAC, freed_by<EVP_MAC_free>>;
using mac_context_ptr = std::unique_ptr<EVP_MAC_CTX, freed_by<EVP_MAC_CTX_free>>;

std::size_t index_of(const record_layer::suite& which) noexcept {
  return static_cast<std::size_t>(&which - suites.data());
}

const EVP_CIPHER* cipher_of(const record_layer::suite& which) noexcept {
  thread_local std::array<cipher_ptr, suites.size()> all;
  cipher_ptr& mine = all[index_of(which)];
  if (!mine) mine.reset(EVP_CIPHER_fetch(nullptr, which.cipher, nullptr));
  return mine.get();
}

/// One for each suite and way of a thread, not of a connection: it is told the key when another
/// connection was here before.
struct keyed_cipher {
  cipher_context_ptr context;
  std::uint64_t key_number = 0;

  bool prepare(const record_layer::suite& with, const record_key& key, bool sealing) noexcept {
    const bool fresh = context == nullptr;
    if (fresh) context.reset(EVP_CIPHER_CTX_new());
    if (context == nullptr) return false;
    const bool known = !fresh && key_number == key.number;
    key_number = 0;
    if (EVP_CipherInit_ex2(context.get(), fresh ? cipher_of(with) : nullptr,
                           known ? nullptr : key.key.data(), key.nonce.data(), sealing ? 1 : 0,
                           nullptr) != 1) {
      context.reset();
      return false;
    }
    key_number = key.number;
    return true;
  }
};

keyed_cipher& cipher_here(const record_layer::suite& with, bool sealing) noexcept {
  thread_local std::array<std::array<keyed_cipher, 2>, suites.size()> all;
  return all[index_of(with)][sealing ? 1 : 0];
}

/// HMAC with the suite's hash; null: out of memory.
EVP_MAC_CTX* mac_here(const record_layer::suite& with) noexcept {
  thread_local std::array<mac_context_ptr, suites.size()> all;
  mac_context_ptr& mine = all[index_of(with)];
  if (mine) return mine.get();
  const mac_ptr fetched{EVP_MAC_fetch(nullptr, "HMAC", nullptr)};
  if (!fetched) return nullptr;
  const std::array<OSSL_PARAM, 2> how{
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, const_cast<char*>(with.digest),
                                       0),  // only read
      OSSL_PARAM_construct_end()};
  mine.reset(EVP_MAC_CTX_new(fetched.get()));
  if (mine && EVP_MAC_CTX_set_params(mine.get(), how.data()) != 1) mine.reset();
  return mine.get();
}

const unsigned char* raw(bytes data) noexcept {
  return reinterpret_cast<const unsigned char*>(data.data());
}

int size_of(bytes data) noexcept { return static_cast<int>(data.size()); }

}  // namespace

const record_layer::suite* find_suite(const SSL_CIPHER* negotiated) noexcept {
  for (const record_layer::suite& each : suites) {
    if (negotiated != nullptr && SSL_CIPHER_get_protocol_id(negotiated) == each.number) {
      return cipher_of(each) == nullptr ? nullptr : &each;
    }
  }
  return nullptr;
}

/// One block of HKDF-Expand(RFC 5869) is enough for all that TLS derives: HMAC of the label and 1.
void expander::expand(std::string_view label, std::span<unsigned char> into) {
  static constexpr std::string_view prefix = "tls13 ";
  std::array<unsigned char, 32> info{0, static_cast<unsigned char>(into.size()),
                                     static_cast<unsigned char>(prefix.size() + label.size())};
  auto end = std::ranges::copy(prefix, info.begin() + 3).out;
  end = std::ranges::copy(label, end).out;
  *end++ = 0;  // no context
  *end++ = 1;
  std::array<unsigned char, EVP_MAX_MD_SIZE> block;
  std::size_t size = 0;
  const bool fine =
      EVP_MAC_init(mac_, secret_.data(), secret_.size(), nullptr) == 1 &&
      EVP_MAC_update(mac_, info.data(), static_cast<std::size_t>(end - info.begin())) == 1 &&
      EVP_MAC_final(mac_, block.data(), &size, block.size()) == 1;
  secret_ = {};  // the MAC has it
  if (!fine || size < into.size()) throw std::bad_alloc{};
  std::copy_n(block.begin(), into.size(), into.begin());
  OPENSSL_cleanse(block.data(), block.size());
}

expander::expander(const record_layer::suite& with, std::span<const unsigned char> secret)
    : mac_{mac_here(with)}, secret_{secret} {
  if (mac_ == nullptr) throw std::bad_alloc{};
}

bool decrypt(const record_layer::suite& with, const record_key& key, bytes header, bytes body,
             unsigned char* into) noexcept {
  keyed_cipher& cipher = cipher_here(with, false);
  if (!cipher.prepare(with, key, false)) return false;
  EVP_CIPHER_CTX* const context = cipher.context.get();
  const bytes sealed = body.first(body.size() - tag_size);
  auto* const tag = const_cast<unsigned char*>(raw(body) + sealed.size());  // only read
  int size = 0, rest = 0;
  return EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, tag_size, tag) == 1 &&
         EVP_DecryptUpdate(context, nullptr, &size, raw(header), size_of(header)) == 1 &&
         EVP_DecryptUpdate(context, into, &size, raw(sealed), size_of(sealed)) == 1 &&
         EVP_DecryptFinal_ex(context, into + size, &rest) == 1;
}

bool encrypt(const record_layer::suite& with, const record_key& key, bytes header, bytes content,
             std::uint8_t type, unsigned char* into) noexcept {
  keyed_cipher& cipher = cipher_here(with, true);
  if (!cipher.prepare(with, key, true)) return false;
  EVP_CIPHER_CTX* const context = cipher.context.get();
  int size = 0, rest = 0;
  return EVP_EncryptUpdate(context, nullptr, &size, raw(header), size_of(header)) == 1 &&
         (content.empty() ||
          EVP_EncryptUpdate(context, into, &size, raw(content), size_of(content)) == 1) &&
         EVP_EncryptUpdate(context, into + content.size(), &size, &type, 1) == 1 &&
         EVP_EncryptFinal_ex(context, into + content.size() + 1, &rest) == 1 &&
         EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, tag_size, into + content.size() + 1) ==
             1;
}

}  // namespace dwell::inline v0
