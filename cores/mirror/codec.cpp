#include "cores/mirror/codec.hpp"

#include <rte_hash_crc.h>

#include <algorithm>
#include <cstring>

namespace holdfast::mirror {
namespace {

constexpr std::size_t frame_size = 2 + 1 + 1 + 4;  // size, type, version, crc

/// Reads and writes share one description of each record: `fields(io, record)`.
class Writer {
  public:
    explicit Writer(std::uint8_t* out) : at_(out) {}
    template <class Number>
    void number(const Number& value) {
        auto v = static_cast<std::uint64_t>(value);
        for (std::size_t i = 0; i < sizeof(Number); ++i, v >>= 8) *at_++ = static_cast<std::uint8_t>(v);
    }
    void bytes(const std::uint8_t* data, std::size_t n) {
        std::memcpy(at_, data, n);
        at_ += n;
    }
    const std::uint8_t* at() const { return at_; }
    bool has_version(std::uint8_t) const { return true; }

  private:
    std::uint8_t* at_;
};

class Reader {
  public:
    Reader(const std::uint8_t* from, const std::uint8_t* end, std::uint8_t version = record_version)
        : at_(from), end_(end), version_(version) {}
    template <class Number>
    void number(Number& value) {
        std::uint64_t v = 0;
        if (static_cast<std::size_t>(end_ - at_) < sizeof(Number)) return fail();
        for (std::size_t i = 0; i < sizeof(Number); ++i) v |= static_cast<std::uint64_t>(*at_++) << (8 * i);
        value = static_cast<Number>(v);
    }
    void bytes(std::uint8_t* data, std::size_t n) {
        if (static_cast<std::size_t>(end_ - at_) < n) return fail();
        std::memcpy(data, at_, n);
        at_ += n;
    }
    bool has_version(std::uint8_t version) const { return version_ >= version; }
    bool ok() const { return ok_ && at_ == end_; }

  private:
    void fail() {
        ok_ = false;
        at_ = end_;
    }
    const std::uint8_t* at_;
    const std::uint8_t* end_;
    std::uint8_t version_;
    bool ok_ = true;
};

template <class Io, class E>
void endpoint(Io& io, E& e) {
    io.bytes(e.address.bytes.data(), 16);
    io.number(e.port);
}

template <class Io, class L>
void leg(Io& io, L& l) {
    endpoint(io, l.local);
    endpoint(io, l.remote);
    io.number(l.iss.value);
    io.number(l.irs.value);
    io.number(l.ts_offset);
    io.number(l.mss_send);
    io.number(l.mss_receive);
}

template <class Io, class Id>
void identity(Io& io, Id& id) {
    io.number(id.slot);
    io.number(id.generation);
}

template <class Io, class R>
void session(Io& io, R& r) {
    identity(io, r.id);
    io.number(r.term);
    io.number(r.service);
    io.number(r.backend);
    io.number(r.gates);
    io.number(r.sack);
    io.number(r.timestamps);
    io.number(r.window_scaling);
    io.number(r.scale_client);
    io.number(r.scale_server);
    io.number(r.scale_to_client);
    io.number(r.cookie);
    io.number(r.syn_window);
    leg(io, r.leg[0]);
    leg(io, r.leg[1]);
    io.number(r.opened_at.ns);
    // A node of version 2 knows nothing of ECN, and its sessions have none.
    if (!io.has_version(3)) return;
    io.number(r.ecn[0]);
    io.number(r.ecn[1]);
}

template <class Io, class P>
void progress(Io& io, P& p) {
    identity(io, p.id);
    io.number(p.side);
    io.number(p.last_byte);
    io.number(p.has_last_byte);
    io.number(p.established);
    io.number(p.fin_received);
    io.number(p.fin_sent);
    io.number(p.version);
    io.number(p.una);
    io.number(p.ack);
    io.number(p.ts_recent);
    io.number(p.last_active.ns);
}

template <class Io, class A>
void application(Io& io, A& a) {
    identity(io, a.id);
    io.number(a.first);
    io.number(a.complete);
    io.number(a.client_fin);
    io.number(a.finished);
    io.number(a.closed);
    io.number(a.committed);
    io.number(a.una);
    io.number(a.begin);
    io.number(a.size);
    io.bytes(a.bytes.data(), std::min<std::size_t>(a.size, a.bytes.size()));
}

template <class Io, class S>
void state(Io& io, S& s) {
    io.number(s.service);
    io.number(s.size);
    io.bytes(s.bytes.data(), std::min<std::size_t>(s.size, s.bytes.size()));
}

template <class Io, class P>
void payload(Io& io, P& p) {
    identity(io, p.id);
    io.number(p.side);
    io.number(p.over);
    io.number(p.entrusted);
    io.number(p.fin);
    io.number(p.una);
    io.number(p.edge);
    io.number(p.ack);
    io.number(p.window);
    io.number(p.begin);
    io.number(p.size);
    io.bytes(p.bytes.data(), std::min<std::size_t>(p.size, p.bytes.size()));
}

struct Fields {
    template <class Io, class R>
    static void visit(Io& io, R& r) {
        using T = std::remove_const_t<R>;
        if constexpr (std::is_same_v<T, Hello>) {
            io.number(r.node_id);
            io.number(r.is_active);
            io.number(r.lanes);
            io.number(r.slots);
            io.number(r.term);
            io.number(r.configuration);
            io.number(r.incarnation);
            io.number(r.shared_clock_ns);
        } else if constexpr (std::is_same_v<T, Refused>) {
            io.number(r.reason);
        } else if constexpr (std::is_same_v<T, EpochStart>) {
            io.number(r.journal);
            io.number(r.epoch);
        } else if constexpr (std::is_same_v<T, SnapshotEnd>) {
            io.number(r.journal);
            io.number(r.sequence);
        } else if constexpr (std::is_same_v<T, Opened>) {
            io.number(r.sequence);
            session(io, r.record);
        } else if constexpr (std::is_same_v<T, Progress>) {
            io.number(r.sequence);
            progress(io, r.record);
        } else if constexpr (std::is_same_v<T, Closed>) {
            io.number(r.sequence);
            identity(io, r.record.id);
            io.number(r.record.reason);
        } else if constexpr (std::is_same_v<T, Application>) {
            io.number(r.sequence);
            application(io, r.record);
        } else if constexpr (std::is_same_v<T, State>) {
            io.number(r.sequence);
            state(io, r.record);
        } else if constexpr (std::is_same_v<T, Described>) {
            state(io, r.record);
        } else if constexpr (std::is_same_v<T, Payload>) {
            io.number(r.sequence);
            payload(io, r.record);
        } else {
            io.number(r.sequence[0]);
            io.number(r.sequence[1]);
            io.number(r.ready);
            // A node of version 3 has no applications and mirrors no payload.
            if (!io.has_version(4)) return;
            for (auto i = index(Journal::application); i < journal_count; ++i) io.number(r.sequence[i]);
        }
    }
};

/// Of at most record_size_max bytes. DPDK's CRC takes whole words, which have to be aligned.
std::uint32_t checksum(const std::uint8_t* data, std::size_t size) {
    alignas(std::uint64_t) std::uint8_t words[record_size_max];
    std::memcpy(words, data, size);
    return rte_hash_crc(words, static_cast<std::uint32_t>(size), 0xffffffff);
}

template <std::size_t I = 0>
bool read_as(std::size_t type, Reader& reader, Record& out) {
    if constexpr (I < std::variant_size_v<Record>) {
        if (type != I) return read_as<I + 1>(type, reader, out);
        auto& r = out.emplace<I>();
        Fields::visit(reader, r);
        return reader.ok();
    } else {
        return false;
    }
}

/// The pair's clock counts from a boot: a time outside of 146 years would overflow when it is reckoned with.
bool clock_possible(std::int64_t ns) { return ns >= 0 && ns < std::int64_t{1} << 62; }

/// Of a byte of a stream; far from where reckoning would overflow.
bool position_possible(Position p) { return p >= 1 && p < Position{1} << 62; }

bool sane(const Record& r) {
    const auto side_ok = [](Side s) { return s == Side::client || s == Side::server; };
    const auto journal_ok = [](Journal j) { return index(j) < journal_count; };
    if (const auto* p = std::get_if<Progress>(&r)) return side_ok(p->record.side);
    if (const auto* e = std::get_if<EpochStart>(&r)) return journal_ok(e->journal);
    if (const auto* s = std::get_if<SnapshotEnd>(&r)) return journal_ok(s->journal);
    if (const auto* o = std::get_if<Opened>(&r))
        return o->record.scale_client <= 14 && o->record.scale_server <= 14 &&
               o->record.scale_to_client <= 14 && clock_possible(o->record.opened_at.ns);
    if (const auto* a = std::get_if<Application>(&r))
        return a->record.size <= reply_record_max && position_possible(a->record.una) &&
               position_possible(a->record.begin) && position_possible(a->record.committed) &&
               (!a->record.client_fin || a->record.committed >= 2);
    if (const auto* s = std::get_if<State>(&r)) return s->record.size <= state_record_max;
    if (const auto* d = std::get_if<Described>(&r)) return d->record.size <= description_max;
    if (const auto* p = std::get_if<Payload>(&r)) {
        const auto& f = p->record;
        return side_ok(f.side) && f.size <= payload_record_max && position_possible(f.una) &&
               position_possible(f.edge) && position_possible(f.ack) && position_possible(f.window) &&
               position_possible(f.begin);
    }
    if (const auto* h = std::get_if<Hello>(&r)) return clock_possible(h->shared_clock_ns);
    if (const auto* f = std::get_if<Refused>(&r)) return f->reason < Refusal::count_;
    return true;
}

}  // namespace

std::string_view to_string(Refusal r) {
    static constexpr std::string_view words[] = {
        "",
        "the nodes speak different versions of the mirror protocol",
        "the nodes' configurations differ (services, gates, addresses)",
        "the nodes differ in limits.sessions",
        "the nodes differ in the number of lanes",
        "both nodes have the same node.id",
        "the peer is not active",
        "the peer's term is older",
        "the standby can not hold what applications store there"};
    static_assert(std::size(words) == static_cast<std::size_t>(Refusal::count_));
    return words[static_cast<std::size_t>(r)];
}

std::size_t encode(const Record& record, std::span<std::uint8_t> out) {
    Writer w(out.data() + 4);
    std::visit([&w](const auto& r) { Fields::visit(w, r); }, record);
    out[2] = static_cast<std::uint8_t>(record.index());
    out[3] = record_version;
    const auto covered = static_cast<std::size_t>(w.at() - out.data()) - 2;
    w.number(checksum(out.data() + 2, covered));
    const auto size = static_cast<std::size_t>(w.at() - out.data());
    Writer(out.data()).number(static_cast<std::uint16_t>(size - 2));
    return size;
}

Decoded decode(std::span<const std::uint8_t> bytes) {
    Decoded d;
    if (bytes.size() < 2) return d.verdict = Decoded::Verdict::incomplete, d;
    const std::size_t size = 2u + bytes[0] + (static_cast<std::size_t>(bytes[1]) << 8);
    d.verdict = Decoded::Verdict::malformed;
    if (size < frame_size || size > record_size_max) return d;
    if (bytes.size() < size) return d.verdict = Decoded::Verdict::incomplete, d;
    const auto* end = bytes.data() + size - 4;
    std::uint32_t crc = 0;
    Reader(end, end + 4).number(crc);
    const bool known = bytes[3] >= record_version_oldest && bytes[3] <= record_version;
    if (crc != checksum(bytes.data() + 2, size - 6)) return d;
    if (!known) return d.verdict = Decoded::Verdict::other_version, d;
    Reader reader(bytes.data() + 4, end, bytes[3]);
    if (!read_as(bytes[2], reader, d.record) || !sane(d.record)) return d;
    d.verdict = Decoded::Verdict::complete;
    d.size = size;
    return d;
}

}  // namespace holdfast::mirror
