#include "tests/script/story.hpp"

#include <catch2/catch.hpp>

namespace holdfast::script {
namespace {

std::string leftover;

class Teller : public Catch::ITestInvoker {
  public:
    explicit Teller(void (*tell)()) : tell_(tell) {}
    void invoke() const override {
        leftover.clear();
        try {
            tell_();
        } catch (const Departure& departure) {
            FAIL(departure.what());
        }
        if (!leftover.empty()) FAIL("at the end of the story: " << leftover);
        SUCCEED();
    }

  private:
    void (*tell_)();
};

}  // namespace

void depart(const std::string& what, const Where& where) {
    throw Departure(std::string(where.file_name()) + ":" + std::to_string(where.line()) + ": " + what);
}

void depart_at_end(const std::string& what) {
    if (leftover.empty()) leftover = what;
}

void expect_equal(std::uint64_t actual, std::uint64_t expected, std::string_view what, const Where where) {
    if (actual != expected)
        depart(std::string(what) + " is " + std::to_string(actual) + " and not " + std::to_string(expected),
               where);
}

Registration::Registration(const char* name, const char* tags, void (*tell)(), const char* file,
                           unsigned line) {
    const Catch::AutoReg registered(new Teller(tell), Catch::SourceLineInfo(file, line), Catch::StringRef(),
                                    Catch::NameAndTags(name, tags));
}

}  // namespace holdfast::script
