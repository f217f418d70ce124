#include "run/auditing.h"

#include <utility>

#include "base/random.h"
#include "monitor/audited.h"

namespace jail::run {
namespace {

constexpr std::string_view kName = "jail-";
constexpr std::size_t kLongestName = 15;  // TASK_COMM_LEN less its end

event::Event told(event::Body body) {
  return {.body = std::move(body), .source = event::Source::KernelAudit};
}

std::string text_of(std::uint64_t denied, std::uint64_t logged) {
  return "Landlock has denied " + std::to_string(denied) + " attempts, of which the log tells " +
         std::to_string(logged) + ": the others are in it as another layer's, or not at all";
}

std::string why_uncounted(const trace::LandlockAccount& account) {
  if (!account.known) return "of this jail's Landlock domain the kernel's audit has told nothing";
  return account.cut ? "the kernel had no room for all records of its audit"
                     : "the kernel's audit has not said how often Landlock has denied";
}

}  // namespace

std::string Auditing::name_for(const Plan& plan) {
  if (plan.monitor.audit == monitor::KernelAudit::None) return {};
  return std::string(kName).append(random::run_id()).substr(0, kLongestName);
}

void Auditing::start(const Plan& plan, pid_t builder, Fd records, std::shared_ptr<audit::Log> log) {
  if (plan.builder_name.empty() || !records) return;
  source_ = monitor::source_name(plan.monitor);
  trace::LandlockSinks sinks{.log = [](const event::Event&) {}};
  if (plan.monitor.audit == monitor::KernelAudit::Tell) {
    const auto events = std::make_shared<monitor::AuditedEvents>(
        plan.view, [log = std::move(log)](const event::Event& event) { (void)log->append(event); });
    sinks = {.log = [events](const event::Event& event) { events->add(event); },
             .after_reading = [events] { events->flush(); },
             .at_end = [events] { events->finish(); }};
  }
  watching_ = trace::LandlockWatching::start(std::move(records), builder, plan.builder_name, std::move(sinks));
}

Auditing::Account Auditing::finish(audit::Log& log) {
  if (!watching_) return {};
  const trace::LandlockAccount heard = watching_->finish().value_or(trace::LandlockAccount{.known = true});
  const std::uint64_t logged = log.denied_by_landlock();
  Account account{.counts = {{"logged", logged}}};
  if (!heard.denials) {
    (void)log.append(told(event::MonitorChanged{source_, why_uncounted(heard)}));
    return account;
  }
  account.counts.emplace_back("denied", *heard.denials);
  if (*heard.denials <= logged) return account;
  account.untold = *heard.denials - logged;
  (void)log.append(told(event::MonitorLost{account.untold, text_of(*heard.denials, logged)}));
  return account;
}

}  // namespace jail::run
