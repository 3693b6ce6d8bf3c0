// The guard asks for no memory after its construction, neither through C++ nor inside libcrypto.
#include <catch2/catch.hpp>

#include <openssl/crypto.h>

#include <cstdlib>
#include <memory>
#include <new>

#include "cores/guard/guard.hpp"

namespace {

std::uint64_t allocations = 0;

void* counting_malloc(std::size_t size, const char*, int) {
    ++allocations;
    return std::malloc(size);
}
void* counting_realloc(void* p, std::size_t size, const char*, int) {
    ++allocations;
    return std::realloc(p, size);
}
void counting_free(void* p, const char*, int) { std::free(p); }
// Before anything else of libcrypto is used.
const int hooked = CRYPTO_set_mem_functions(counting_malloc, counting_realloc, counting_free);

}  // namespace

void* operator new(std::size_t size) {
    ++allocations;
    if (void* p = std::malloc(size)) return p;
    throw std::bad_alloc();
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
    ++allocations;
    return std::malloc(size);
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }

using namespace holdfast;
using namespace holdfast::guard;

TEST_CASE("guard: no allocation after construction, through boot, sync, death and takeover", "[guard]") {
    REQUIRE(hooked == 1);
    const std::array<std::uint8_t, 32> key{1, 2, 3};
    std::array<std::unique_ptr<Guard>, 2> nodes;
    for (unsigned id = 0; id < 2; ++id) {
        Settings s;
        s.key = key;
        s.node_id = id;
        s.boot_nonce = id + 1;
        s.references = 1;
        nodes[id] = std::make_unique<Guard>(s, Instant{});
    }
    const std::uint64_t before = allocations;
    for (std::int64_t ms = 1; ms < 3000; ++ms) {
        const Instant now = Instant{} + milliseconds(ms);
        for (unsigned id = 0; id < 2; ++id) {
            const bool first_is_dead = ms > 2000;
            if (id == 0 && first_is_dead) continue;
            Inputs in;
            in.standby_in_sync = in.image_ready = ms > 1500;
            in.progress = {static_cast<std::uint64_t>(ms), static_cast<std::uint64_t>(ms)};
            nodes[id]->set_inputs(in);
            const Outputs& out = nodes[id]->advance(now);
            for (std::size_t i = 0; i < out.heartbeat_count && !first_is_dead; ++i)
                nodes[1 - id]->heartbeat_received(out.heartbeats[i].path, out.heartbeats[i].payload, now);
            if (out.query_references) nodes[id]->reference_answered(0, now);
            if (out.term_to_persist) nodes[id]->term_persisted(*out.term_to_persist);
        }
    }
    const std::uint64_t after = allocations;
    CHECK(after == before);
    CHECK(nodes[0]->role() == Role::active);
    CHECK(nodes[1]->role() == Role::active);
    CHECK(nodes[1]->counters().get(Counter::became_active_silence) == 1);
}
