#include "tls/credentials.hpp"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <new>
#include <stdexcept>
#include <string_view>

namespace dwell::inline v0 {
namespace {

/// Forward secrecy and an AEAD; TLS 1.3 has nothing else.
constexpr const char* ciphers_of_tls_1_2 = "ECDHE+AESGCM:ECDHE+CHACHA20";
constexpr std::string_view pem_begins = "-----BEGIN";

[[noreturn]] void complain(const std::string& field, const std::string& what) {
  std::string text = field;
  text.append(": ").append(what);
  throw std::invalid_argument{text};
}

/// The name of a file, or that there is none.
std::string shown(const std::string& source) {
  return source.starts_with(pem_begins) ? "its text" : '"' + source + '"';
}

bio_ptr open(const std::string& source, const std::string& field) {
  if (source.empty()) complain(field, "empty; use a PEM file");
  bio_ptr opened{source.starts_with(pem_begins)
                     ? BIO_new_mem_buf(source.data(), static_cast<int>(source.size()))
                     : BIO_new_file(source.c_str(), "r")};
  if (!opened) complain(field, shown(source) + " cannot be read: " + openssl_complaint());
  return opened;
}

/// Nobody is there to type a passphrase.
int no_passphrase(char*, int, int, void*) { return -1; }

void use_chain(SSL_CTX& context, const std::string& source, const std::string& field) {
  const bio_ptr from = open(source, field);
  const certificate_ptr first{PEM_read_bio_X509_AUX(from.get(), nullptr, no_passphrase, nullptr)};
  if (!first) complain(field, shown(source) + " has no certificate in PEM: " + openssl_complaint());
  if (SSL_CTX_use_certificate(&context, first.get()) != 1) {
    complain(field, shown(source) + " cannot be used: " + openssl_complaint());
  }
  while (certificate_ptr next{PEM_read_bio_X509(from.get(), nullptr, no_passphrase, nullptr)}) {
    if (SSL_CTX_add0_chain_cert(&context, next.get()) != 1) throw std::bad_alloc{};
    static_cast<void>(next.release());
  }
  openssl_complaint();  // that there is no further one
}

void use_key(SSL_CTX& context, const std::string& source, const std::string& field) {
  const bio_ptr from = open(source, field);
  const key_ptr key{PEM_read_bio_PrivateKey(from.get(), nullptr, no_passphrase, nullptr)};
  if (!key) {
    complain(field, shown(source) + " has no private key that can be read: " + openssl_complaint() +
                        "; it must be PEM without a passphrase");
  }
  if (SSL_CTX_use_PrivateKey(&context, key.get()) != 1) {
    complain(field, shown(source) + " is not the key of the certificate: " + openssl_complaint());
  }
}

}  // namespace

void set_defaults(SSL_CTX& context) {
  SSL_CTX_set_min_proto_version(&context, TLS1_2_VERSION);
  SSL_CTX_set_cipher_list(&context, ciphers_of_tls_1_2);
  SSL_CTX_set_options(&context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
  // An idle connection has no buffers. What is written is taken at once, so moving ones do no harm.
  // The chain is what the file has: looking for more of it would cost each handshake a
  // verification.
  SSL_CTX_set_mode(&context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
}

void use_certificate(SSL_CTX& context, const tls_certificate& shown, const std::string& field) {
  use_chain(context, shown.chain, field + ".chain");
  use_key(context, shown.private_key, field + ".private_key");
}

void trust(SSL_CTX& context, const std::string& authorities, const std::string& field, bool named) {
  const bio_ptr from = open(authorities, field);
  std::size_t count = 0;
  while (
      const certificate_ptr next{PEM_read_bio_X509(from.get(), nullptr, no_passphrase, nullptr)}) {
    if (X509_STORE_add_cert(SSL_CTX_get_cert_store(&context), next.get()) != 1 ||
        (named && SSL_CTX_add_client_CA(&context, next.get()) != 1)) {
      throw std::bad_alloc{};
    }
    // OpenSSL would read its extensions at the first handshake, and what fails then, for want of
    // memory, it holds against the certificate for ever.
    X509_check_purpose(next.get(), -1, 0);
    ++count;
  }
  if (count == 0) {
    complain(field, shown(authorities) + " has no certificate in PEM: " + openssl_complaint());
  }
  openssl_complaint();
}

std::string as_extension(const std::vector<std::string>& protocols, const std::string& field) {
  std::string list;
  for (const std::string& each : protocols) {
    if (each.empty() || each.size() > 255) {
      complain(field, '"' + each + "\": use 1 to 255 bytes");
    }
    list.append(1, static_cast<char>(each.size())).append(each);
  }
  return list;
}

}  // namespace dwell::inline v0
