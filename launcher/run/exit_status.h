// What `jail run` answers. No code is unambiguous, since a plugin may exit with any of them: --status-fd tells for
// sure.
#pragma once

namespace jail::run {

inline constexpr int kExitUsage = 2;         // a wrong command line
inline constexpr int kExitTimeout = 124;     // wall time is up, as timeout(1)
inline constexpr int kExitJailFailed = 125;  // the jail could not be built or kept
inline constexpr int kExitNotExecutable = 126;
inline constexpr int kExitNotFound = 127;
inline constexpr int kExitSignal = 128;  // plus the signal's number

}  // namespace jail::run
