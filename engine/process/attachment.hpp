// What a process of gate host stands on: a small EAL without hugepages, devices or files, one port to the
// appliance, and the link over it. It brings the link back when the appliance was gone.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "engine/process/port_link.hpp"
#include "lib/base/time.hpp"
#include "lib/host/client.hpp"

namespace holdfast::engine {

class Attachment {
  public:
    /// `socket`: where the appliance listens (socket= of its net_memif device). Throws std::runtime_error
    /// that says what is missing. There is one in a process.
    explicit Attachment(const std::string& socket);
    ~Attachment();
    Attachment(const Attachment&) = delete;
    Attachment& operator=(const Attachment&) = delete;

    host::Link& link() { return *link_; }
    static Instant now();

    /// Polls `client`, which uses link(), until `stop` is set; `between` is called after each poll that had
    /// something to do.
    template <class Between>
    void run(host::Client& client, const std::atomic<bool>& stop, Between between) {
        while (!stop.load(std::memory_order_relaxed)) {
            tend();
            if (client.poll(now()) > 0) between();
            else rest();
        }
    }

  private:
    void set_up_port();
    void tend();
    static void rest();

    std::uint16_t port_ = 0;
    rte_mempool* pool_ = nullptr;
    std::unique_ptr<PortLink> link_;
    bool started_ = false;
    Instant down_since_ = Instant::never();
};

}  // namespace holdfast::engine
