// What an application on the appliance is, and what it can do. README.md has a walk-through.
//
// A client's connection ends here: the application reads its bytes in order, by their offsets in the stream
// (0 is the first byte), and says by commit() up to where they need never come again. Only then are they
// acknowledged. With gate ["app", "standby"] all that it does within one call takes effect at the standby as
// a whole, and before any of it is seen by the client: neither an acknowledgment nor a byte of a reply leaves
// earlier.
//
// One thread calls an application, and it calls its Channel from that thread alone, inside of a call or of
// advance(). It has no clock and no chance but what it is given, and it never waits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "lib/base/address.hpp"
#include "lib/base/time.hpp"
#include "lib/session/record.hpp"

namespace holdfast::app {

/// Bytes from the beginning of a stream.
using Offset = std::uint64_t;

/// What the application core does for an application. A session that is over is refused: nothing happens.
class Channel {
  public:
    virtual ~Channel() = default;

    /// The send-acknowledgment command: the bytes below `offset` are done with. They were taken; no offset
    /// goes back. What receive() gave of them is no longer there.
    virtual void commit(SessionId session, Offset offset) = 0;
    /// Appends to the replies, in whose stream the next byte stands at replied(). Returns how many bytes had
    /// room; when there is more, Application::writable() tells.
    virtual std::size_t reply(SessionId session, std::span<const std::uint8_t> bytes) = 0;
    /// Bytes that reply() takes now.
    virtual std::size_t room(SessionId session) const = 0;
    /// Offset of the next byte of reply.
    virtual Offset replied(SessionId session) const = 0;
    /// No more replies: a FIN follows them.
    virtual void finish(SessionId session) = 0;
    /// Ends the session by RST. closed() follows.
    virtual void abort(SessionId session) = 0;
};

/// A session as it began.
struct Opened {
    SessionId session;
    Endpoint client, local;
};

/// A session that another node had until now, as it is stored here.
struct Resumed {
    Opened opened;
    Offset committed = 0;    ///< bytes from here on come (again)
    Offset replied = 0;      ///< replies below are made, and leave as they are
    bool end_taken = false;  ///< the client's end of stream was taken
    bool finished = false;   ///< finish() was called
};

class Application {
  public:
    virtual ~Application() = default;

    virtual void opened(const Opened& session) = 0;
    /// Before any byte of it.
    virtual void resumed(const Resumed& session) = 0;
    /// `bytes` follow in order, the first one at `offset`. Returns how many were taken; the rest comes again
    /// when replies have room, together with what follows. What was taken stays readable until it is
    /// committed.
    virtual std::size_t receive(SessionId session, Offset offset, std::span<const std::uint8_t> bytes) = 0;
    /// The client says no more; it has said `end` bytes, and all were taken. Acknowledged when all are
    /// committed.
    virtual void end_of_stream(SessionId session, Offset end) = 0;
    /// Replies have room again, after reply() had less than was wanted.
    virtual void writable(SessionId session) = 0;
    /// The session is over, whoever ended it. Last call about it.
    virtual void closed(SessionId session) = 0;
    /// Once in a duty cycle.
    virtual void advance(Instant now) = 0;
    /// When advance() must be called at the latest.
    virtual Instant next_deadline() const = 0;
};

}  // namespace holdfast::app
