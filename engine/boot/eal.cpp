#include "engine/boot/eal.hpp"

#include <rte_eal.h>
#include <rte_errno.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "engine/boot/start_refused.hpp"

namespace holdfast::engine {
namespace {

namespace fs = std::filesystem;

unsigned long free_hugepages() {
    unsigned long sum = 0;
    std::error_code error;
    for (const auto& size : fs::directory_iterator("/sys/kernel/mm/hugepages", error)) {
        unsigned long n = 0;
        std::ifstream(size.path() / "free_hugepages") >> n;
        sum += n;
    }
    return sum;
}

bool hugetlbfs_is_mounted() {
    std::ifstream mounts("/proc/mounts");
    std::string line, device, point, type;
    while (std::getline(mounts, line))
        if (std::istringstream(line) >> device >> point >> type && type == "hugetlbfs") return true;
    return false;
}

}  // namespace

void check_hugepages(const Arguments& arguments) {
    if (arguments.eal_has("--no-huge")) return;
    if (free_hugepages() == 0)
        throw StartRefused(
            "no hugepages: none is free; reserve some (echo 512 > /proc/sys/vm/nr_hugepages), or start "
            "without: "
            "--no-huge -m 512");
    if (!arguments.eal_has("--in-memory") && !hugetlbfs_is_mounted())
        throw StartRefused(
            "no hugepages: hugetlbfs is not mounted; mount -t hugetlbfs none /dev/hugepages, or give "
            "--in-memory");
}

Eal::Eal(const Arguments& arguments) {
    // EAL changes the order of its arguments, so it gets a copy, which lives as long as the process because
    // some drivers keep pointers into it.
    static std::vector<std::string> texts;
    texts.assign(1, arguments.program);
    texts.insert(texts.end(), arguments.eal.begin(), arguments.eal.end());
    static std::vector<char*> pointers;
    pointers.clear();
    for (auto& text : texts) pointers.push_back(text.data());
    pointers.push_back(nullptr);
    if (rte_eal_init(static_cast<int>(texts.size()), pointers.data()) < 0)
        throw StartRefused(std::string("EAL refuses its options: ") + rte_strerror(rte_errno) +
                           "; the lines above say which, dpdk-testpmd --help explains them");
}

Eal::~Eal() { rte_eal_cleanup(); }

}  // namespace holdfast::engine
