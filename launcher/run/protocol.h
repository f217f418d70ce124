// What the processes of a jail under construction and its supervisor tell each other: fixed-size records over one
// SOCK_SEQPACKET pair for pid 1 and one for the builder, which becomes the plugin.
//
//   pid 1                    supervisor                    builder, then plugin
//   Standing + root  ------>  (forks the builder)
//   Complete  ------------->  -- Proceed  --------------->  (has built the view meanwhile)
//                             <--------------------- Wall   (where the plan has one)
//                             <-------------------- Doors   (where the plan has some, a few at a time)
//             <-- Proceed --  <------------------ Entered   (the view is the root)
//                             <----------------- Examined   (where the plan wants digests)
//   Sealed  --------------->  <---- Ready + pidfd, terminals
//                             writes run.started
//                             -- Proceed  -------------->   execve
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"

namespace jail::run {

enum class ReportKind : std::uint8_t {
  Standing,    // pid 1: the namespaces that the view is built in are there; descriptor: the root it has begun
  Complete,    // pid 1: the others, too, and /proc. error: why there is none
  Doors,       // builder: descriptors: sockets that listen in the jail's network (egress/doors.h)
  Wall,        // builder: descriptors: to raise the wall by (egress/wall.h); error: why there are none
  Entered,     // builder: the view is the root
  Examined,    // builder: what the plugin's files are; descriptor: findings.h
  Sealed,      // pid 1: the host's tree is gone, nothing can reach pid 1, and no namespace can be made
  Ready,       // the plugin stands before its filter and execve; descriptors: its pidfd, then terminal masters
  Failed,      // a stage failed: stage, error, text
  ExecFailed,  // execve failed: error
};

struct Report {
  ReportKind kind = ReportKind::Failed;
  std::int32_t error = 0;
  char stage[24] = {};
  char text[256] = {};
};

Report report_of(ReportKind kind, std::string_view stage = {}, int error = 0, std::string_view text = {});

// Throws EPIPE when the supervisor is gone: nothing is left to be built.
void send_report(const Fd& socket, const Report& report, const std::vector<int>& descriptors = {});
// For the last yard: one raw call, no allocation.
void send_report_raw(int socket, const Report& report) noexcept;

struct Received {
  Report report;
  std::vector<Fd> descriptors;
};
// Waits. Empty: the other side is gone.
std::optional<Received> receive_report(const Fd& socket);

// The supervisor's one word. Whoever is gone has left a report that says why, which is read next.
void send_proceed(const Fd& socket);
// Waits. False: the supervisor is gone.
bool receive_proceed(const Fd& socket);

}  // namespace jail::run
