// A story: one behaviour with a name, told packet by packet in virtual time.
//
//     STORY("fin_wait_2: data after FIN is acknowledged and dropped", "[close]") {
//         LegStage leg;
//         ...
//     }
//
// A story that departs from what it tells ends at once and shows every frame until then. This header includes
// no test framework: stories are many, and each of them compiles in a moment.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

#include "lib/base/time.hpp"

namespace holdfast::script {

using namespace holdfast::literals;

/// Where in a story something was said: std::source_location, which clang 14 can not compile.
class Where {
  public:
    static constexpr Where current(const char* file = __builtin_FILE(), unsigned line = __builtin_LINE()) {
        return Where(file, line);
    }
    constexpr const char* file_name() const { return file_; }
    constexpr unsigned line() const { return line_; }

  private:
    constexpr Where(const char* file, unsigned line) : file_(file), line_(line) {}
    const char* file_;
    unsigned line_;
};

/// What happened is not what the story tells.
class Departure : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

[[noreturn]] void depart(const std::string& what, const Where& where);

/// For stages that end: what is wrong with the story as a whole, unless it has departed already.
void depart_at_end(const std::string& what);

/// A fact that is no packet.
inline void expect(bool fact, std::string_view what, const Where where = Where::current()) {
    if (!fact) depart("not so: " + std::string(what), where);
}
void expect_equal(std::uint64_t actual, std::uint64_t expected, std::string_view what,
                  const Where where = Where::current());

/// Makes a story known to the program; used by STORY alone.
class Registration {
  public:
    Registration(const char* name, const char* tags, void (*tell)(), const char* file, unsigned line);
};

}  // namespace holdfast::script

#define HF_STORY_JOIN2(a, b) a##b
#define HF_STORY_JOIN(a, b) HF_STORY_JOIN2(a, b)
#define HF_STORY(name, tags, function)                                                  \
    static void function();                                                             \
    static const ::holdfast::script::Registration HF_STORY_JOIN(function, _registered)( \
        name, tags, &function, __FILE__, __LINE__);                                     \
    static void function()
#define STORY(name, tags) HF_STORY(name, tags, HF_STORY_JOIN(story_, __LINE__))
