#include "base/sha256.h"

#include <algorithm>
#include <array>

namespace jail {

// Without sodium_init(): SHA-256 in libsodium is plain C that chooses nothing at run time, and a start-up of a
// millisecond has no time for opening a random source.
Sha256::Sha256() noexcept { crypto_hash_sha256_init(&state_); }

void Sha256::update(std::span<const unsigned char> bytes) noexcept {
  crypto_hash_sha256_update(&state_, bytes.data(), bytes.size());
}

void Sha256::update(std::string_view bytes) noexcept {
  update(std::span(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()));
}

std::string Sha256::hex() noexcept {
  std::array<unsigned char, crypto_hash_sha256_BYTES> digest{};
  crypto_hash_sha256_final(&state_, digest.data());
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(digest.size() * 2);
  for (const unsigned char byte : digest) {
    text.push_back(kDigits[byte >> 4]);
    text.push_back(kDigits[byte & 15]);
  }
  return text;
}

std::string sha256_hex(std::string_view bytes) {
  Sha256 digest;
  digest.update(bytes);
  return digest.hex();
}

bool is_sha256_hex(std::string_view text) noexcept {
  const auto is_digit = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  return text.size() == 2 * crypto_hash_sha256_BYTES && std::ranges::all_of(text, is_digit);
}

}  // namespace jail
