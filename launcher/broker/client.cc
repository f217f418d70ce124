#include "broker/client.h"

namespace jail::broker {
namespace {

constexpr int kCountMs = 250;  // meanwhile nobody reads the ring

class LentFeed : public trace::Feed {
 public:
  LentFeed(Line line, Fd ring) : line_(std::move(line)), ring_(std::move(ring)) {}

  std::string begin() override { return {}; }  // it has, of itself
  [[nodiscard]] const Fd& ring() const override { return ring_; }
  std::optional<std::uint64_t> lost(std::string& why) override {
    std::string problem;
    const Line::Heard heard = line_.exchange_within(kCountMs, {.ask = Ask::Count}, problem);
    if (heard.answer) return heard.answer->lost;
    why = "jaild: " + problem + ": what eBPF told of is not told any more";
    return std::nullopt;
  }
  void close() noexcept override { line_.close(); }

 private:
  Line line_;
  Fd ring_;
};

}  // namespace

std::optional<Connection> Connection::open(const std::string& path, Line::Patience patience, std::string& why) {
  auto opened = Line::open(path, patience, why);
  if (!opened) return std::nullopt;
  return Connection(std::move(opened->line), std::move(opened->look.support));
}

void Connection::ask(const std::vector<trace::Family>& families, std::uint32_t what, std::uint32_t ring_bytes,
                     const Fd& first) {
  Request request{.ask = Ask::Trace, .families = 0, .what = what, .ring_bytes = ring_bytes};
  for (const trace::Family family : families) request.families |= 1U << trace::index_of(family);
  line_.send(request, first.get());
}

std::unique_ptr<trace::Feed> Connection::take(std::string& why) && {
  std::string problem;
  Line::Heard heard = line_.hear(problem);
  if (heard.answer && heard.descriptors.size() == 1)
    return std::make_unique<LentFeed>(std::move(line_), std::move(heard.descriptors.front()));
  why = "jaild at " + line_.path() + ": " + (problem.empty() ? "it has given no ring" : problem);
  return nullptr;
}

}  // namespace jail::broker
