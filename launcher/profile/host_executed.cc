#include "profile/host_executed.h"

#include <algorithm>
#include <array>

#include "profile/paths.h"

namespace jail::profile {
namespace {

constexpr std::array<std::string_view, 61> kAtHome{
    // shells
    ".bashrc", ".bash_profile", ".bash_login", ".bash_logout", ".bash_aliases", ".profile", ".zshrc", ".zshenv",
    ".zprofile", ".zlogin", ".zlogout", ".kshrc", ".cshrc", ".tcshrc", ".inputrc", ".config/fish", ".config/zsh",
    ".config/powershell",
    // sessions
    ".xinitrc", ".xsession", ".xsessionrc", ".xprofile", ".pam_environment", ".config/environment.d", ".config/systemd",
    ".config/autostart", ".config/plasma-workspace", ".config/i3", ".config/sway", ".config/hypr",
    ".local/share/applications", ".local/share/systemd", ".local/share/dbus-1", ".config/cron", ".forward",
    // programs that run what their settings say
    ".gitconfig", ".config/git", ".ssh", ".gnupg", ".vimrc", ".vim", ".config/nvim", ".emacs", ".emacs.d",
    ".config/emacs", ".tmux.conf", ".config/tmux", ".gdbinit", ".config/gdb", ".ipython", ".jupyter", ".npmrc",
    ".config/Code", ".vscode", ".config/pip", ".mailcap",
    // programs and libraries
    "bin", ".local/bin", ".local/lib", ".cargo", ".config/direnv"};

constexpr std::array<std::string_view, 12> kBySystem{"/etc",
                                                     "/usr",
                                                     "/bin",
                                                     "/sbin",
                                                     "/lib",
                                                     "/lib32",
                                                     "/lib64",
                                                     "/boot",
                                                     "/var/spool/cron",
                                                     "/var/spool/at",
                                                     "/var/lib/systemd",
                                                     "/snap"};

constexpr std::array<std::string_view, 17> kByName{
    ".git",          ".hg",           ".svn",   ".envrc",  ".direnv", ".venv", "venv", "node_modules", "__pycache__",
    "site-packages", "dist-packages", ".husky", ".vscode", ".idea",   ".tox",  ".nox", ".githooks"};

constexpr std::array<std::string_view, 5> kTelling{".git", ".envrc", ".venv", "venv", "node_modules"};

std::optional<std::string> touched(std::string_view path, const std::string& place) {
  return is_within(path, place) || is_within(place, path) ? std::optional(place) : std::nullopt;
}

bool has_component(std::string_view path, std::string_view name) {
  for (std::size_t at = path.find(name); at != std::string_view::npos; at = path.find(name, at + 1)) {
    const std::size_t end = at + name.size();
    if (at > 0 && path[at - 1] == '/' && (end == path.size() || path[end] == '/')) return true;
  }
  return false;
}

}  // namespace

std::span<const std::string_view> executed_at_home() { return kAtHome; }
std::span<const std::string_view> executed_by_system() { return kBySystem; }
std::span<const std::string_view> executed_by_name() { return kByName; }
std::span<const std::string_view> telling_names() { return kTelling; }

std::optional<std::string> executed_place(std::string_view path, std::string_view home) {
  for (const std::string_view place : kBySystem)
    if (const auto found = touched(path, std::string(place))) return found;
  for (const std::string_view below : kAtHome)
    if (const auto found = home.empty() ? std::nullopt : touched(path, joined(home, below))) return found;
  for (const std::string_view name : kByName)
    if (has_component(path, name)) return std::string(name);
  return std::nullopt;
}

}  // namespace jail::profile
