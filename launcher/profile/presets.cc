#include "profile/presets.h"

#include <array>

namespace jail::profile {
namespace {

constexpr std::array<std::string_view, 36> kHomeSecrets{
    // keys and tokens of tools
    ".ssh", ".gnupg", ".aws", ".azure", ".kube", ".docker", ".config/gcloud", ".config/gh", ".config/op", ".config/hub",
    ".config/containers", ".config/rclone", ".config/sops", ".netrc", ".pgpass", ".my.cnf", ".git-credentials",
    ".npmrc", ".pypirc", ".cargo/credentials.toml", ".terraform.d", ".vault-token",
    // password stores and browsers
    ".password-store", ".local/share/keyrings", ".local/share/kwalletd", ".mozilla", ".thunderbird",
    ".config/google-chrome", ".config/chromium", ".config/BraveSoftware", ".config/microsoft-edge",
    // what was typed
    ".bash_history", ".zsh_history", ".python_history", ".psql_history", ".local/share/fish/fish_history"};

constexpr std::array kPresets{Preset{"home-secrets", kHomeSecrets}};

}  // namespace

std::span<const Preset> presets() { return kPresets; }

}  // namespace jail::profile
