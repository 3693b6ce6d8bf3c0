// The journals of a node: one for each service that runs one, with its disk.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "cores/app/applications.hpp"
#include "cores/protocol/node.hpp"
#include "engine/journal/disk_store.hpp"
#include "lib/report/event.hpp"

namespace holdfast::engine {

using EventSink = std::function<void(const Event&)>;

/// Outlives the node whose applications it makes.
class Journals {
  public:
    /// Opens all of them; `author` is different in every start of any node. Throws StartRefused.
    Journals(const Config& config, std::uint64_t author);
    ~Journals();

    /// Makes journals, and by `others` what is none.
    app::ApplicationFactory factory(app::ApplicationFactory others);
    /// Any thread.
    void for_each_counter(const protocol::CounterVisitor& visit) const;
    /// Tells what has changed since the last call; one caller.
    void poll(Instant now, const EventSink& tell);

  private:
    struct Journal;
    std::vector<std::unique_ptr<Journal>> journals_;
    std::uint64_t author_;
};

}  // namespace holdfast::engine
