// A tree of held segments by position: red-black, its nodes in their PacketMeta.
#pragma once

#include <rte_common.h>

#include <boost/intrusive/rbtree_algorithms.hpp>
#include <cstddef>
#include <cstdint>

#include "lib/packet/packet.hpp"

namespace holdfast {

/// Owns nothing. Its segments do not overlap, and each is in one such tree at most. Looking up, inserting and
/// removing take O(log n) steps; a step to a neighbour takes O(1) on average over a walk.
class MbufTree {
  public:
    MbufTree() = default;
    MbufTree(const MbufTree&) = delete;
    MbufTree& operator=(const MbufTree&) = delete;

    bool empty() const { return Traits::get_parent(&header_) == nullptr; }
    /// Lowest and highest; nullptr when empty.
    rte_mbuf* first() const { return empty() ? nullptr : mbuf_of(header_.left); }
    rte_mbuf* last() const { return empty() ? nullptr : mbuf_of(header_.right); }
    /// The neighbours of `m`, which is in the tree; nullptr beyond the ends.
    rte_mbuf* after(rte_mbuf* m) const {
        return m == last() ? nullptr : mbuf_of(Tree::next_node(&meta(m).in));
    }
    rte_mbuf* before(rte_mbuf* m) const {
        return m == first() ? nullptr : mbuf_of(Tree::prev_node(&meta(m).in));
    }
    /// The lowest that begins at `position` or above; nullptr if none does.
    rte_mbuf* first_from(Position position) const {
        if (empty()) return nullptr;
        const auto* end = Tree::end_node(&header_);
        auto* found = Tree::lower_bound(&header_, position, [](const WaitingMeta* node, Position p) {
            return meta(mbuf_of(node)).begin < p;
        });
        return found == end ? nullptr : mbuf_of(found);
    }
    /// The highest that begins at `position` or below; nullptr if none does.
    rte_mbuf* last_until(Position position) const {
        auto* above = first_from(position + 1);
        return above == nullptr ? last() : before(above);
    }
    /// Puts `m` in front of `next`, or last where that is nullptr: where its position belongs.
    void insert(rte_mbuf* m, rte_mbuf* next) {
        if (empty()) Tree::init_header(&header_);
        meta(m).in = WaitingMeta{};
        Tree::insert_before(&header_, next != nullptr ? &meta(next).in : &header_, &meta(m).in);
    }
    /// `m` is in this tree.
    void remove(rte_mbuf* m) { Tree::erase(&header_, &meta(m).in); }

  private:
    /// What Boost.Intrusive asks to know of a node.
    struct Traits {
        using node = WaitingMeta;
        using node_ptr = WaitingMeta*;
        using const_node_ptr = const WaitingMeta*;
        using color = std::uintptr_t;
        static constexpr color red() { return 0; }
        static constexpr color black() { return 1; }
        static node_ptr get_parent(const_node_ptr n) {
            return reinterpret_cast<node_ptr>(n->parent_and_colour & ~black());
        }
        static void set_parent(node_ptr n, node_ptr parent) {
            n->parent_and_colour = reinterpret_cast<std::uintptr_t>(parent) | get_color(n);
        }
        static node_ptr get_left(const_node_ptr n) { return n->left; }
        static void set_left(node_ptr n, node_ptr left) { n->left = left; }
        static node_ptr get_right(const_node_ptr n) { return n->right; }
        static void set_right(node_ptr n, node_ptr right) { n->right = right; }
        static color get_color(const_node_ptr n) { return n->parent_and_colour & black(); }
        static void set_color(node_ptr n, color c) {
            n->parent_and_colour = (n->parent_and_colour & ~black()) | c;
        }
    };
    using Tree = boost::intrusive::rbtree_algorithms<Traits>;

    static rte_mbuf* mbuf_of(const WaitingMeta* node) {
        // The way back of rte_mbuf_to_priv().
        return static_cast<rte_mbuf*>(RTE_PTR_SUB(node, sizeof(rte_mbuf) + offsetof(PacketMeta, in)));
    }

    WaitingMeta header_;  ///< its parent is the root; all zero when empty, too
};

}  // namespace holdfast
