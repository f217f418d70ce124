#include "run/stdio_questions.h"

#include <string_view>

namespace jail::run {
namespace {

constexpr unsigned char kEnquiry = 0x05;
constexpr unsigned char kBell = 0x07;
constexpr unsigned char kCancel = 0x18;
constexpr unsigned char kSubstitute = 0x1a;
constexpr unsigned char kEscape = 0x1b;

// Final bytes: device status, device attributes, mode and parameter requests, window reports, version, keyboard
// protocol.
constexpr std::string_view kAsking = "ncpxtqu";
// What turns the setting of a colour or clipboard, and of a status string or capability, into a request for it.
constexpr unsigned char kAskingInString = '?';
constexpr std::string_view kAskingInDeviceControl = "$+";

bool is_one_of(std::string_view set, unsigned char byte) noexcept {
  return set.find(static_cast<char>(byte)) != std::string_view::npos;
}

}  // namespace

void Questions::shown(std::span<const std::byte> output) noexcept {
  for (const std::byte byte : output) shown(static_cast<unsigned char>(byte));
}

void Questions::shown(unsigned char byte) noexcept {
  if (byte == kEnquiry) return asked();
  if (byte == kEscape) {
    at_ = At::Escape;
    return;
  }
  switch (at_) {
    case At::Text: return text(byte);
    case At::Escape: return escape(byte);
    case At::Control: return control(byte);
    case At::String:
    case At::DeviceControl: return string(byte);
  }
}

// The one-byte forms of C1 are continuation bytes of UTF-8, too: taking them for controls only ever sees too much.
void Questions::text(unsigned char byte) noexcept {
  if (byte == 0x9a) asked();
  if (byte == 0x9b) at_ = At::Control;
  if (byte == 0x90) at_ = At::DeviceControl;
  if (byte == 0x9d) at_ = At::String;
}

void Questions::escape(unsigned char byte) noexcept {
  at_ = At::Text;
  if (byte == 'Z') asked();
  if (byte == '[') at_ = At::Control;
  if (byte == 'P') at_ = At::DeviceControl;
  if (is_one_of("]_^X", byte)) at_ = At::String;
}

void Questions::control(unsigned char byte) noexcept {
  if (byte < 0x40) {
    if (byte == kCancel || byte == kSubstitute) at_ = At::Text;
    return;
  }
  at_ = At::Text;
  if (is_one_of(kAsking, byte)) asked();
}

void Questions::string(unsigned char byte) noexcept {
  if (byte == kAskingInString || (at_ == At::DeviceControl && is_one_of(kAskingInDeviceControl, byte))) return asked();
  if (byte == kBell || byte == kCancel || byte == kSubstitute || byte == 0x9c) at_ = At::Text;
}

}  // namespace jail::run
