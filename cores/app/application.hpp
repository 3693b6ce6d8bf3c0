// What an application on the appliance is, and what it can do. README.md has a walk-through.
//
// A client's connection ends here: the application reads its bytes in order, by their offsets in the stream
// (0 is the first byte), and says by commit() up to where they need never come again. Only then are they
// acknowledged. With gate ["app", "standby"] all that it does within one call takes effect at the standby as
// a whole, and before any of it is seen by the client: neither an acknowledgment nor a byte of a reply leaves
// earlier.
//
// What an application knows beyond its replies it may keep at the standby, too: state records, which store()
// hands to the instance of the same service there. Their bytes mean what the application says.
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
    /// Hands a state record of at most state_record_max bytes to the standby's instance. Records come there
    /// in order, and what commit() and reply() do later takes effect (gate standby) when all stored before
    /// are there. False, and nothing happened: no room now, so what follows from it has to wait (take less,
    /// and retry() from advance()); or no standby has joined.
    virtual bool store(std::span<const std::uint8_t> record) = 0;
    /// receive() is to be called again with what the application did not take, though nothing new came.
    virtual void retry(SessionId session) = 0;

    // For an application that passes bytes on, and may have to do so twice.

    /// Bytes from `from` on come (again), by receive(), within this duty cycle; `from` lies between what is
    /// committed and what came.
    virtual void deliver(SessionId session, Offset from) = 0;
    /// Where Application::confirms_end(): the client's end of stream is done with, too.
    virtual void commit_end(SessionId session) = 0;
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
    /// Whether the client's FIN waits for Channel::commit_end(), too, before it is acknowledged.
    virtual bool confirms_end() const { return false; }
    /// Replies have room again, after reply() had less than was wanted.
    virtual void writable(SessionId session) = 0;
    /// The session is over, whoever ended it. Last call about it.
    virtual void closed(SessionId session) = 0;
    /// Once in a duty cycle.
    virtual void advance(Instant now) = 0;
    /// When advance() must be called at the latest.
    virtual Instant next_deadline() const = 0;

    // State records, for those who keep some. With a standby in sync, what was stored here is all there.

    /// This node has become the active one, before any session is opened or resumed. `term` is greater than
    /// any before. What stored() gave is what there is, and may go further than what is resumed.
    virtual void activated(std::uint64_t /*term*/) {}
    /// This node is a standby and has reached the active. Writes to `out` (description_max bytes) what this
    /// instance holds; returns how many bytes. Records of an earlier connection come no more.
    virtual std::size_t describe(std::span<std::uint8_t> /*out*/) { return 0; }
    /// This node is the active one, and a standby's instance says what it holds. What that one lacks is now
    /// to be stored, from advance() on. Comes anew with each connection.
    virtual void standby_joined(std::span<const std::uint8_t> /*described*/) {}
    /// That one is gone: nothing can be stored until one joins, and nothing has to.
    virtual void standby_left() {}
    /// All that it lacks is stored. Until then the standby does not count as in sync.
    virtual bool caught_up() const { return true; }
    /// As standby: a record came. False: it can not be held. Then the active is told, and the standby is not
    /// in sync until it has joined anew.
    virtual bool stored(std::span<const std::uint8_t> /*record*/) { return true; }
    /// As standby: how many of the newest records must not be confirmed yet, for instance as they are not on
    /// disk. A record that is confirmed releases what waits for it at the active.
    virtual std::uint64_t unsettled() const { return 0; }
};

}  // namespace holdfast::app
