#include <dwell/tls/self_signed.hpp>

#include "tls/openssl.hpp"

#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <arpa/inet.h>
#include <array>
#include <cstring>
#include <stdexcept>

namespace dwell::inline v0 {
namespace {

constexpr long backdated = 60L * 60;  // for clocks that are behind
constexpr long lifetime = 30L * 24 * 60 * 60;

void require(bool done, const char* what) {
  if (!done) throw std::runtime_error{std::string{what} + ": " + openssl_complaint()};
}

bool is_address(const std::string& name) {
  std::array<unsigned char, sizeof(in6_addr)> unused{};
  return inet_pton(AF_INET, name.c_str(), unused.data()) == 1 ||
         inet_pton(AF_INET6, name.c_str(), unused.data()) == 1;
}

void add_extension(X509& to, int which, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, &to, &to, nullptr, nullptr, 0);
  const std::unique_ptr<X509_EXTENSION, freed_by<X509_EXTENSION_free>> made{
      X509V3_EXT_conf_nid(nullptr, &context, which, value.c_str())};
  require(made && X509_add_ext(&to, made.get(), -1) == 1, "a certificate's extension");
}

void name(X509& certificate, const std::vector<std::string>& names) {
  std::string all;
  for (const std::string& each : names) {
    if (!all.empty()) all += ',';
    all.append(is_address(each) ? "IP:" : "DNS:").append(each);
  }
  const std::string common = names.empty() ? "dwell" : names.front();
  X509_NAME* const subject = X509_get_subject_name(&certificate);
  require(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                                     reinterpret_cast<const unsigned char*>(common.data()),
                                     static_cast<int>(common.size()), -1, 0) == 1,
          "a certificate's subject");
  X509_set_issuer_name(&certificate, subject);
  if (!all.empty()) add_extension(certificate, NID_subject_alt_name, all);
}

/// Two of them must not look like one to a client that has seen the first.
void number(X509& certificate) {
  std::uint64_t serial = 0;
  require(RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial) == 1 &&
              ASN1_INTEGER_set_uint64(X509_get_serialNumber(&certificate), serial >> 1U | 1U) == 1,
          "a certificate's number");
}

template <class Write>
std::string text_of(Write&& write) {
  const bio_ptr into{BIO_new(BIO_s_mem())};
  require(into && write(into.get()) == 1, "writing PEM");
  char* data = nullptr;
  const long size = BIO_get_mem_data(into.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

}  // namespace

tls_certificate self_signed(const std::vector<std::string>& names) {
  const key_ptr key{EVP_EC_gen("P-256")};
  const certificate_ptr made{X509_new()};
  require(key && made, "a key pair");
  X509_set_version(made.get(), X509_VERSION_3);
  number(*made);
  X509_gmtime_adj(X509_getm_notBefore(made.get()), -backdated);
  X509_gmtime_adj(X509_getm_notAfter(made.get()), lifetime);
  X509_set_pubkey(made.get(), key.get());
  name(*made, names);
  add_extension(*made, NID_basic_constraints, "critical,CA:TRUE");
  require(X509_sign(made.get(), key.get(), EVP_sha256()) != 0, "signing a certificate");
  return {.chain = text_of([&](BIO* to) { return PEM_write_bio_X509(to, made.get()); }),
          .private_key = text_of([&](BIO* to) {
            return PEM_write_bio_PrivateKey(to, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
          })};
}

}  // namespace dwell::inline v0
