#include "profile/dangers.h"

#include <array>

#include "profile/paths.h"

namespace jail::profile {
namespace {

constexpr std::string_view kSockets = "it holds the sockets of system services and other users";
constexpr std::string_view kKernel = "it shows and steers this machine's kernel and every process";
constexpr std::string_view kDevices = "the jail has its own null, zero, full, random, urandom, tty, fd and shm";

constexpr std::array kPlaces{
    Danger{"/", Reach::Exactly, Override::None, "it is the whole system, every secret and socket in it"},
    Danger{"/home", Reach::Exactly, Override::Named, "it holds the homes of all users"},
    Danger{"/root", Reach::Exactly, Override::Named, "it is the superuser's home"},
    Danger{"/run", Reach::Exactly, Override::Named, kSockets},
    Danger{"/var/run", Reach::Exactly, Override::Named, kSockets},
    Danger{"/run/user", Reach::Exactly, Override::Named, kSockets},
    Danger{"/var", Reach::Exactly, Override::Named, kSockets},
    Danger{"/tmp", Reach::Exactly, Override::Named,
           "it holds other programs' sockets and files; the jail has a private one"},
    Danger{"/var/tmp", Reach::Exactly, Override::Named, "it holds other programs' files"},
    Danger{"/proc", Reach::OrBelow, Override::Named, kKernel},
    Danger{"/sys", Reach::OrBelow, Override::Named, kKernel},
    Danger{"/dev", Reach::OrBelow, Override::Named, kDevices},
};

constexpr std::string_view kEngine = "a container engine: whoever reaches it is root";
constexpr std::string_view kBus = "a message bus: it starts programs outside the jail";
constexpr std::string_view kAgent = "an agent: it signs and decrypts with the operator's keys";
constexpr std::string_view kDisplay = "a display: it sees and types what the operator does";
constexpr std::string_view kTerminal = "a terminal multiplexer: it runs commands";
constexpr std::string_view kNames = "a name service: data leaves through its queries";

constexpr std::array kDangerousSockets{
    DangerousSocket{"/run/docker.sock", Override::Named, kEngine},
    DangerousSocket{"/run/podman/*", Override::Named, kEngine},
    DangerousSocket{"/run/containerd/*", Override::Named, kEngine},
    DangerousSocket{"/run/crio/*", Override::Named, kEngine},
    DangerousSocket{"/run/buildkit/*", Override::Named, kEngine},
    DangerousSocket{"/run/libvirt/*", Override::Named, kEngine},
    DangerousSocket{"/var/lib/lxd/*", Override::Named, kEngine},
    DangerousSocket{"/var/snap/lxd/common/lxd/*", Override::Named, kEngine},
    DangerousSocket{"/var/lib/incus/*", Override::Named, kEngine},
    DangerousSocket{"/run/incus/*", Override::Named, kEngine},
    DangerousSocket{"/run/user/*/docker.sock", Override::Named, kEngine},
    DangerousSocket{"/run/user/*/podman/*", Override::Named, kEngine},
    DangerousSocket{"/run/dbus/*", Override::Named, kBus},
    DangerousSocket{"/run/systemd/*", Override::Named, kBus},
    DangerousSocket{"/run/user/*/bus", Override::Named, kBus},
    DangerousSocket{"/run/user/*/dbus-1/*", Override::Named, kBus},
    DangerousSocket{"/run/user/*/systemd/*", Override::Named, kBus},
    DangerousSocket{"/tmp/dbus-*", Override::Named, kBus},
    DangerousSocket{"/tmp/ssh-*/*", Override::Named, kAgent},
    DangerousSocket{"/run/user/*/ssh-agent*", Override::Named, kAgent},
    DangerousSocket{"/run/user/*/openssh_agent", Override::Named, kAgent},
    DangerousSocket{"/run/user/*/gnupg/*", Override::Named, kAgent},
    DangerousSocket{"/run/user/*/keyring/*", Override::Named, kAgent},
    DangerousSocket{"/run/pcscd/*", Override::Named, kAgent},
    DangerousSocket{"/tmp/.X11-unix/*", Override::Named, kDisplay},
    DangerousSocket{"/run/user/*/wayland-*", Override::Named, kDisplay},
    DangerousSocket{"/run/user/*/pulse/*", Override::Named, kDisplay},
    DangerousSocket{"/run/user/*/pipewire-*", Override::Named, kDisplay},
    DangerousSocket{"/tmp/tmux-*/*", Override::Named, kTerminal},
    DangerousSocket{"/run/screen/*/*", Override::Named, kTerminal},
    DangerousSocket{"/run/nscd/*", Override::Named, kNames},
    DangerousSocket{"/run/jail/*", Override::None, "jail's own broker"},
};

}  // namespace

std::span<const Danger> dangerous_places() { return kPlaces; }

const Danger* danger_of(const std::string& path) {
  for (const Danger& danger : kPlaces)
    if (danger.reach == Reach::Exactly ? path == danger.path : is_within(path, danger.path)) return &danger;
  return nullptr;
}
std::span<const DangerousSocket> dangerous_sockets() { return kDangerousSockets; }

}  // namespace jail::profile
