// holdfast-journal: what a journal holds. It only reads, and may be used while the node runs.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <map>

#include "engine/journal/directory.hpp"

using namespace holdfast;
using namespace holdfast::engine;
using journal::Kind;
using journal::LogPosition;
using journal::Record;

namespace {

struct Session {
    std::string client = "-", service = "-";
    std::uint64_t from = 0, end = 0;  ///< of its stream
    bool ended = false;
};

/// All sessions of a log by their numbers, in the order in which they began.
class Sessions {
  public:
    /// A piece that was set aside has sessions without their beginning: that is in the log that it was cut
    /// from.
    explicit Sessions(const std::string& directory) : piece_(is_set_aside(directory)) {}
    /// False: the record leaves a gap, doubles something, or says nothing that can be understood.
    bool add(const Record& r, LogPosition at) {
        if (r.kind == Kind::term) return true;
        if (r.kind == Kind::opened) return r.number == at && introduce(sessions_[at], r);
        const auto place =
            piece_ ? sessions_.try_emplace(r.number, unknown(r)).first : sessions_.find(r.number);
        if (place == sessions_.end()) return false;
        auto& s = place->second;
        if (s.ended || r.offset != s.end) return false;
        s.end += r.body.size();
        s.ended = r.kind == Kind::end;
        return true;
    }
    const std::map<std::uint64_t, Session>& all() const { return sessions_; }

  private:
    static Session unknown(const Record& r) {
        Session s;
        s.from = s.end = r.offset;
        return s;
    }
    static bool introduce(Session& s, const Record& r) {
        const auto party = journal::decode_party(r.body);
        if (!party) return false;
        s.client = party->client.to_string();
        s.service = party->service;
        return true;
    }
    std::map<std::uint64_t, Session> sessions_;
    bool piece_;
};

/// What lies before a damage is listed, too.
void list(const std::string& directory) {
    Sessions sessions(directory);
    const auto print = [&sessions] {
        std::cout << "SESSION  CLIENT  SERVICE  BYTES  STATE  FROM\n";
        for (const auto& [number, s] : sessions.all())
            std::cout << number << "  " << s.client << "  " << s.service << "  " << s.end - s.from << "  "
                      << (s.ended ? "ended" : "open") << "  " << s.from << "\n";
    };
    try {
        read_log(directory, [&](const Record& r, LogPosition at) { return sessions.add(r, at); });
    } catch (const DamagedLog&) {
        print();
        throw;
    }
    print();
}

void write_out(std::span<const std::uint8_t> bytes) {
    while (!bytes.empty()) {
        const auto n = write(STDOUT_FILENO, bytes.data(), bytes.size());
        if (n < 0) throw std::system_error(errno, std::generic_category(), "standard output");
        bytes = bytes.subspan(static_cast<std::size_t>(n));
    }
}

void read_session(const std::string& directory, std::uint64_t number) {
    Sessions sessions(directory);
    read_log(directory, [&](const Record& r, LogPosition at) {
        if (!sessions.add(r, at)) return false;
        if (r.kind == Kind::data && r.number == number) write_out(r.body);
        return true;
    });
    if (!sessions.all().contains(number))
        throw std::runtime_error("there is no session " + std::to_string(number) +
                                 "; see holdfast-journal list");
}

void verify(const std::string& directory) {
    Sessions sessions(directory);
    std::uint64_t records = 0, bytes = 0, terms = 0;
    const auto log = read_log(directory, [&](const Record& r, LogPosition at) {
        ++records;
        terms += r.kind == Kind::term;
        bytes += r.kind == Kind::data ? r.body.size() : 0;
        return sessions.add(r, at);
    });
    std::cout << "sound: " << records << " records in " << log.segments.size() << " segments of "
              << log.end - log.begin << " bytes; " << sessions.all().size() << " sessions, " << bytes
              << " bytes, " << terms << " terms\n";
    if (log.begin != 0) std::cout << "a piece of a log, from position " << log.begin << "\n";
    if (log.torn != 0)
        std::cout << "a torn tail of " << log.torn
                  << " bytes follows: it was being written, and the node will cut it off when it starts\n";
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app{
        "What a journal of Holdfast holds. Exit status 1: it is damaged or can not be read; 2: wrong words."};
    app.set_version_flag("--version", HF_VERSION);
    app.require_subcommand(1);
    std::string directory;
    std::uint64_t number = 0;
    const auto command = [&](const char* name, const char* help, auto action) {
        auto* sub = app.add_subcommand(name, help);
        sub->add_option("DIR", directory, "the journal_dir of a service")
            ->required()
            ->check(CLI::ExistingDirectory);
        sub->callback(action);
        return sub;
    };
    command("list", "the sessions: number, client, service, bytes, state", [&] { list(directory); });
    command("read", "the bytes of a session, in order, to standard output",
            [&] { read_session(directory, number); })
        ->add_option("SESSION", number, "its number, as list shows it")
        ->required();
    command("verify", "checks every record, and that no session has a gap or anything twice",
            [&] { verify(directory); });
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& e) {
        return app.exit(e) == 0 ? 0 : 2;
    } catch (const std::exception& e) {
        std::cerr << "holdfast-journal: " << e.what() << "\n";
        return 1;
    }
    return 0;
}
