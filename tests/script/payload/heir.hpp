// A session of a service whose payload is mirrored: its active, and the node that takes over.
#pragma once

#include <functional>

#include "tests/script/lane_stage.hpp"

namespace holdfast::script {

inline LaneOptions mirroring(MirrorPayload what) {
    LaneOptions o;
    o.service.mirror_payload = what;
    o.standby_connected = true;
    return o;
}

/// Gate standby alone.
inline LaneOptions entrusted() {
    auto o = mirroring(MirrorPayload::all);
    o.gate = Gate::standby;
    return o;
}

/// The node that has stored what `old` told its standby, and the ends as they are. It takes over at once.
class Heir : public LaneStage {
  public:
    /// `before` may change what `old` told.
    explicit Heir(LaneStage& old, const std::function<void(LaneStage&)>& before = {})
        : LaneStage(as_standby(old)) {
        if (before) before(old);
        server().knowledge() = old.server().knows();
        old.client().ignores_rest();
        old.server().ignores_rest();
        main().server_bound = true;
        inherit(old);
        for (const auto side : {Side::client, Side::server})
            install_payload(side, old.standby.payload[index(side)]);
        become_active(2);
    }

  private:
    static LaneOptions as_standby(const LaneStage& old) {
        LaneOptions o;
        o.gate = old.config().services[0].gate;
        o.service = old.config().services[0];
        o.limits = old.config().limits;
        o.starts_as_standby = true;
        return o;
    }
};

}  // namespace holdfast::script
