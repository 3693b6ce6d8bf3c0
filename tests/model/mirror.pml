/* The order of records on the mirror: what an in-sync standby knows when the active dies at any moment.
 *
 * An active with slots of sessions, its journal (one ring, in order), a standby that joins, is lost and joins again, and a kill
 * at any point. Sessions open, get bytes acknowledged (gate with "standby"), close; slots are used again. The snapshot goes
 * through the slots while all of this goes on. Names are those of cores/proxy (sessions_journal, journal) and
 * cores/protocol/mirror_core. Left out: loss on the connection (TCP's), several rings, full tables.
 */

#ifndef SLOTS
#define SLOTS 2
#endif
#ifndef RING
#define RING 2
#endif
#ifndef BYTES
#define BYTES 1
#endif
#ifndef JOINS
#define JOINS 2            /* how often a standby joins */
#endif
#ifndef OPENS
#define OPENS 2            /* sessions of the run */
#endif
#define none 255

mtype = {epoch_start, opened, commit, closed, snapshot_end};

/* The active's sessions. */
typedef Session {
    bool there, established;
    byte generation;
    byte committed, acknowledged;      /* bytes: passed all gates but the standby's; told to the client */
    byte opened_at;                    /* sequence of the record that covers it; none: not written in this epoch */
    byte commit_at, commit_value       /* of the newest commit under way; none: nothing */
}
/* What the standby holds. */
typedef Stored {
    bool there;
    byte generation, bytes
}

Session session[SLOTS];
Stored stored[SLOTS];
chan ring = [RING] of {mtype, byte, byte, byte};   /* kind, slot, generation, bytes */
bool joined, in_sync, image_ready, told_in_sync;
byte written, received;                /* sequence numbers of this epoch */
byte confirmed;                        /* as the active has heard */
byte cursor;                           /* of the snapshot; SLOTS: done */
byte end_at;                           /* sequence of snapshot_end; none: not written */
byte joins = JOINS, opens = OPENS;
bool dead;

#define covered(at) (at != none && at <= confirmed)

/* Not only once it is in sync: what is opened behind the end of the snapshot would be unknown to it for a while. */
#ifdef PLANT_WAIT
#define must_wait in_sync
#else
#define must_wait (end_at != none)
#endif

inline tell(kind, s, value) {
    ring!kind, s, session[s].generation, value;
    written++
}

/* The record of a session says all that is committed: live and in the snapshot alike. */
inline tell_session(s) {
#ifdef PLANT_SNAPSHOT
    tell(opened, s, session[s].acknowledged);
#else
    tell(opened, s, session[s].committed);
#endif
    session[s].opened_at = written;
    if :: session[s].committed > session[s].acknowledged -> session[s].commit_at = written; session[s].commit_value = session[s].committed :: else fi
}

inline leave(s) {
    session[s].there = false; session[s].established = false; session[s].committed = 0; session[s].acknowledged = 0;
    session[s].opened_at = none; session[s].commit_at = none; session[s].commit_value = 0
}

proctype speaker() {
    byte s;
    do
    :: dead -> break
    :: atomic { !dead && opens > 0 ->
        select(s : 0 .. SLOTS - 1);
        if
        :: !session[s].there && (!joined || len(ring) < RING) ->
            opens--;
            session[s].there = true;
            session[s].generation = session[s].generation + 1;
            if :: joined -> tell_session(s) :: else fi
        :: else
        fi; s = 0 }
    /* The SYN-ACK: when the standby has the record, or there is none in sync (unprotected, counted). */
    :: atomic { !dead ->
        select(s : 0 .. SLOTS - 1);
        if
#ifdef PLANT_KNOWN
        :: session[s].there && !session[s].established -> session[s].established = true
#else
        :: session[s].there && !session[s].established && (!must_wait || covered(session[s].opened_at)) -> session[s].established = true
#endif
        :: else
        fi; s = 0 }
    /* The far end, or the application, has the byte. */
    :: atomic { !dead ->
        select(s : 0 .. SLOTS - 1);
        if
        :: session[s].established && session[s].committed < BYTES && (!joined || len(ring) < RING) ->
            session[s].committed++;
            /* Before the snapshot has come to it, it is told with it. */
            if
            :: joined && session[s].opened_at != none ->
                tell(commit, s, session[s].committed);
                session[s].commit_at = written; session[s].commit_value = session[s].committed
            :: else
            fi
        :: else
        fi; s = 0 }
    /* The ACK: what the standby has stored, while it is in sync; else the gate holds. */
    :: atomic { !dead ->
        select(s : 0 .. SLOTS - 1);
        if
        :: session[s].there && in_sync && covered(session[s].commit_at) && session[s].acknowledged < session[s].commit_value ->
            session[s].acknowledged = session[s].commit_value
        :: else
        fi; s = 0 }
    :: atomic { !dead ->
        select(s : 0 .. SLOTS - 1);
        if
        :: session[s].established && (!joined || len(ring) < RING) ->
            if :: joined -> tell(closed, s, 0) :: else fi;
            leave(s)
        :: else
        fi; s = 0 }
    /* The snapshot, a slot at a time. */
    :: atomic { !dead && joined && cursor < SLOTS && len(ring) < RING ->
        if :: session[cursor].there -> tell_session(cursor) :: else fi;
        cursor++ }
    :: atomic { !dead && joined && cursor == SLOTS && end_at == none && len(ring) < RING ->
        tell(snapshot_end, 0, 0);
        end_at = written }
    :: atomic { !dead && joined && !in_sync && covered(end_at) -> in_sync = true }
    /* A heartbeat says so. */
    :: atomic { !dead && in_sync && !told_in_sync -> told_in_sync = true }
    /* A confirmation arrives. */
    :: atomic { !dead && joined && confirmed < received -> confirmed = received }
    od
}

proctype standby() {
    mtype kind; byte s, g, v;
    do
    :: dead -> break
    :: atomic { !dead && !joined && joins > 0 ->
        joins--; joined = true;
#ifdef PLANT_EPOCH
#else
        confirmed = 0;
#endif
        written = 0; received = 0;
        cursor = 0; end_at = none;
        s = 0;
        do
        :: s < SLOTS -> session[s].opened_at = none; session[s].commit_at = none; session[s].commit_value = 0;
            stored[s].there = false; stored[s].generation = 0; stored[s].bytes = 0; s++
        :: else -> break
        od; s = 0 }
    /* It is lost: what was under way with it. The next one begins with nothing. */
    :: atomic { !dead && joined && joins > 0 ->
        joined = false; end_at = none; in_sync = false; image_ready = false; told_in_sync = false;
        do :: len(ring) > 0 -> ring?kind, s, g, v :: len(ring) == 0 -> break od;
        kind = 0; s = 0; g = 0; v = 0 }
    :: atomic { !dead && joined && len(ring) > 0 ->
        ring?kind, s, g, v;
        received++;
        if
        :: kind == opened ->
            stored[s].there = true; stored[s].generation = g; stored[s].bytes = v
        :: kind == commit && stored[s].there && stored[s].generation == g ->
            stored[s].bytes = (v > stored[s].bytes -> v : stored[s].bytes)
        :: kind == closed && stored[s].generation == g -> stored[s].there = false; stored[s].bytes = 0
        :: kind == snapshot_end -> image_ready = true
        :: else
        fi;
        kind = 0; s = 0; g = 0; v = 0 }
    od
}

/* The kill; what is in the ring and on the wire is lost with the active. */
proctype killer() {
    byte s;
    atomic {
        dead = true;
        s = 0;
        do
        :: s < SLOTS ->
            if
            :: image_ready && told_in_sync ->          /* the standby is `ready` */
                assert(!session[s].established || (stored[s].there && stored[s].generation == session[s].generation));
                assert(!session[s].established || stored[s].bytes >= session[s].acknowledged)
            :: else
            fi;
            s++
        :: else -> break
        od
    }
}

init {
    byte s;
    atomic {
        s = 0;
        do :: s < SLOTS -> session[s].opened_at = none; session[s].commit_at = none; s++ :: else -> break od;
        end_at = none;
        run speaker(); run standby(); run killer()
    }
}
