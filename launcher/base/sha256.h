// SHA-256 (FIPS 180-4) of bytes that come in pieces, as 64 lower case hexadecimal digits: the one digest the product
// shows for files, profiles and plans.
#pragma once

#include <sodium/crypto_hash_sha256.h>

#include <span>
#include <string>
#include <string_view>

namespace jail {

class Sha256 {
 public:
  Sha256() noexcept;

  void update(std::span<const unsigned char> bytes) noexcept;
  void update(std::string_view bytes) noexcept;

  // Ends the digest: the object is done with afterwards.
  [[nodiscard]] std::string hex() noexcept;

 private:
  crypto_hash_sha256_state state_;
};

// The digest of bytes that are all there.
std::string sha256_hex(std::string_view bytes);

// True for 64 lower case hexadecimal digits, the only spelling that is compared.
bool is_sha256_hex(std::string_view text) noexcept;

}  // namespace jail
