// The process's end of gate host: what software that is not linked into the appliance is written with.
// README.md has a walk-through. It owns no thread, no clock and no port: poll() does everything, with what it
// is given.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lib/base/address.hpp"
#include "lib/base/time.hpp"
#include "lib/host/frame.hpp"
#include "lib/host/link.hpp"

namespace holdfast::host {

/// A session as the process gets it.
struct Opened {
    Session session;
    Endpoint client, local;
    std::uint64_t committed = 0;  ///< bytes from here on come (again)
    std::uint64_t replied = 0;    ///< replies below are made, and leave as they are
    bool resumed = false;         ///< some process had it before
    bool end_taken = false;       ///< the client's end of stream was confirmed
    bool finished = false;        ///< finish() was called
};

/// What somebody writes. Called from within Client::poll(); may call the Client.
class Handler {
  public:
    virtual ~Handler() = default;

    /// Before any byte of it.
    virtual void opened(const Opened& session) = 0;
    /// Bytes in order, the first one at `offset`; there until the call returns.
    virtual void bytes(Session session, std::uint64_t offset, std::span<const std::uint8_t> bytes) = 0;
    /// The client says no more; it has said `end` bytes. Its FIN is acknowledged after confirm_end().
    virtual void ended(Session session, std::uint64_t end) = 0;
    /// reply() has room again, after it had less than was wanted.
    virtual void writable(Session) {}
    /// The session is over, whoever ended it. Last call about it.
    virtual void closed(Session session) = 0;
    /// The appliance is gone, or takes this process for dead: all sessions are void. Those that go on are
    /// opened() again, with what is committed of them.
    virtual void detached() = 0;
};

class Client {
  public:
    /// Bytes of replies that a session holds until the appliance has taken them.
    static constexpr std::size_t reply_bytes_max = 256 * 1024;
    /// Says something so often; an appliance that waits for longer takes the process for dead.
    static constexpr Duration alive_every = milliseconds(50);

    /// References outlive the client.
    Client(Link& link, Handler& handler) : link_(link), handler_(handler) {}

    /// Takes what has come and sends what there is to say. Returns how much there was to do. To be called
    /// every millisecond or so; not at all for service.host_timeout_ms, and the process counts as dead.
    std::uint32_t poll(Instant now);
    bool attached() const { return attached_; }

    // A session that is over is refused: nothing happens.

    /// The send-acknowledgment command: the bytes below `offset` are done with, whatever happens to this
    /// process. Once all of reply() so far is taken, in one frame with what fits of it.
    void confirm(Session session, std::uint64_t offset);
    /// And so is the client's end of stream.
    void confirm_end(Session session);
    /// Appends to the replies. Returns how many bytes had room; when there is more, Handler::writable()
    /// tells.
    std::size_t reply(Session session, std::span<const std::uint8_t> bytes);
    /// No more replies: a FIN follows them.
    void finish(Session session);
    /// Ends the session by RST.
    void abort(Session session);

  private:
    struct State {
        bool open = false, dirty = false, short_of_room = false, aborted = false;
        bool end_confirmed = false, finished = false;
        bool owed = false;  ///< a confirmation or the end was not said yet
        std::uint32_t generation = 0;
        std::uint64_t received = 0;    ///< of the client's stream: next byte
        std::uint64_t confirmed = 0;   ///< below it all is
        std::uint64_t confirm_at = 0;  ///< of the replies: when they are taken up to here, that may be said
        std::uint64_t replied = 0;     ///< taken by the appliance
        std::uint64_t said = 0;        ///< handed to the link
        std::uint64_t edge = 0;        ///< what the appliance has room for
        std::vector<std::uint8_t> replies;  ///< from `replied` on

        std::uint64_t end() const { return replied + replies.size(); }
    };

    State* find(Session session);
    void mark(std::uint32_t slot);
    bool send(const Frame& frame);
    void say_hello(Instant now);
    void take(const Frame& frame);
    void take_welcome(const Frame& frame);
    void take_opened(const Frame& frame);
    void take_of_session(const Frame& frame);
    void take_state(State& s, const Frame& frame);
    void detach();
    void answer_all();
    bool answer(std::uint32_t slot);
    bool answer_once(std::uint32_t slot);

    Link& link_;
    Handler& handler_;
    std::vector<State> sessions_;
    std::vector<std::uint32_t> dirty_, answering_;
    bool attached_ = false;
    std::uint32_t attachment_ = 0;
    Instant say_at_{};
};

}  // namespace holdfast::host
