#include "device.hpp"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <bit>
#include <cerrno>
#include <cstring>
#include <system_error>

namespace holdfast::lossy {

namespace {

constexpr std::size_t kRingBytes = 8 << 20;  // 100 ms of 500 Mbit/s in 1500-byte frames
constexpr std::size_t kBlockBytes = 64 << 10;
constexpr std::size_t kTagBytes = 4;
constexpr int kSendBufferBytes = 16 << 20;

}  // namespace

void Descriptor::reset(int fd) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = fd;
}

Device::Device(std::string name)
    : name_(std::move(name)), socket_(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0)) {
    if (socket_.get() < 0) fail("no packet socket");
    const auto set = [&](int level, int option, const auto& value, const char* what) {
        if (::setsockopt(socket_.get(), level, option, &value, sizeof value) != 0) fail(what);
    };
    ifreq request{};
    name_.copy(request.ifr_name, IFNAMSIZ - 1);
    if (::ioctl(socket_.get(), SIOCGIFMTU, &request) != 0) fail("no such device");
    frame_bytes_max_ = static_cast<std::size_t>(request.ifr_mtu) + ETH_HLEN + kTagBytes;

    const int version = TPACKET_V2, on = 1;
    set(SOL_PACKET, PACKET_VERSION, version, "no TPACKET_V2");
    set(SOL_PACKET, PACKET_IGNORE_OUTGOING, on, "no PACKET_IGNORE_OUTGOING");
    set(SOL_PACKET, PACKET_QDISC_BYPASS, on, "no PACKET_QDISC_BYPASS");
    set(SOL_SOCKET, SO_SNDBUFFORCE, kSendBufferBytes, "no larger send buffer");
    map_ring();

    const int index = static_cast<int>(::if_nametoindex(name_.c_str()));
    packet_mreq promiscuous{};
    promiscuous.mr_ifindex = index;
    promiscuous.mr_type = PACKET_MR_PROMISC;
    set(SOL_PACKET, PACKET_ADD_MEMBERSHIP, promiscuous, "not promiscuous");
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(ETH_P_ALL);
    address.sll_ifindex = index;
    if (::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        fail("can not bind");
}

Device::~Device() {
    if (ring_) ::munmap(ring_, slots_ * slot_bytes_);
}

void Device::map_ring() {
    slot_bytes_ = std::bit_ceil(TPACKET_ALIGN(TPACKET2_HDRLEN) + TPACKET_ALIGN(16) + frame_bytes_max_);
    slots_ = kRingBytes / slot_bytes_;
    tpacket_req request{};
    request.tp_block_size = kBlockBytes;
    request.tp_block_nr = kRingBytes / kBlockBytes;
    request.tp_frame_size = static_cast<unsigned>(slot_bytes_);
    request.tp_frame_nr = static_cast<unsigned>(slots_);
    if (::setsockopt(socket_.get(), SOL_PACKET, PACKET_RX_RING, &request, sizeof request) != 0)
        fail("no ring");
    void* mapped = ::mmap(nullptr, kRingBytes, PROT_READ | PROT_WRITE, MAP_SHARED, socket_.get(), 0);
    if (mapped == MAP_FAILED) fail("ring not mapped");
    ring_ = static_cast<std::byte*>(mapped);
}

bool Device::front(Arrival& arrival) const {
    std::byte* slot = ring_ + next_ * slot_bytes_;
    auto& header = *reinterpret_cast<tpacket2_hdr*>(slot);
    const auto status = std::atomic_ref(header.tp_status).load(std::memory_order_acquire);
    if (!(status & TP_STATUS_USER)) return false;
    arrival.bytes = {slot + header.tp_mac, header.tp_snaplen};
    arrival.tag.reset();
    if (status & TP_STATUS_VLAN_VALID) {
        const std::uint32_t protocol = status & TP_STATUS_VLAN_TPID_VALID ? header.tp_vlan_tpid : ETH_P_8021Q;
        arrival.tag = protocol << 16 | header.tp_vlan_tci;
    }
    arrival.whole = header.tp_len <= frame_bytes_max_ - kTagBytes && header.tp_snaplen == header.tp_len;
    arrival.unfinished = status & TP_STATUS_CSUMNOTREADY;
    arrival.realtime_ns = std::int64_t{header.tp_sec} * 1'000'000'000 + header.tp_nsec;
    return true;
}

void Device::pop_front() {
    auto& header = *reinterpret_cast<tpacket2_hdr*>(ring_ + next_ * slot_bytes_);
    std::atomic_ref(header.tp_status).store(TP_STATUS_KERNEL, std::memory_order_release);
    if (++next_ == slots_) next_ = 0;
}

std::size_t Device::send(std::span<const Bytes> frames) {
    std::array<iovec, kBurst> pieces;
    std::array<mmsghdr, kBurst> messages{};
    for (std::size_t i = 0; i < frames.size(); ++i) {
        pieces[i] = {const_cast<std::byte*>(frames[i].data()), frames[i].size()};
        messages[i].msg_hdr.msg_iov = &pieces[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    std::size_t done = 0, sent = 0;
    while (done < frames.size()) {
        const int n = ::sendmmsg(socket_.get(), &messages[done], static_cast<unsigned>(frames.size() - done),
                                 MSG_DONTWAIT);
        if (n > 0) sent += static_cast<std::size_t>(n);
        done += n > 0 ? static_cast<std::size_t>(n) : 1;
    }
    return sent;
}

std::uint64_t Device::take_missed() {
    tpacket_stats stats{};
    socklen_t size = sizeof stats;
    return ::getsockopt(socket_.get(), SOL_PACKET, PACKET_STATISTICS, &stats, &size) == 0 ? stats.tp_drops
                                                                                          : 0;
}

void Device::check_alive() {
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (::if_nametoindex(name_.c_str()) == 0) fail("device is gone");
}

void Device::fail(const char* what) const {
    throw std::system_error(errno, std::system_category(), name_ + ": " + what);
}

}  // namespace holdfast::lossy
