/* Two guards in discrete time: at most one lease at any time, and somebody speaks again when faults stop.
 *
 * A transcript of cores/guard: lease.hpp is the argument, deciding.cpp and hearing.cpp the decisions; names are theirs.
 * One tick is one heartbeat interval. In each tick every node that is not paused runs once, in any order: it takes in what
 * came, decides, asks, and sends a heartbeat. Heartbeats are lost and late as the checker likes, queries for the virtual
 * address get through (the assumption of on_isolation = "serve"), clocks run right. Left out: resignation, deposition of an
 * active that is heard, disks, several paths: one path stands for all three.
 *
 * The faults: kill (and restart), pause, cut (of heartbeats, in one direction).
 */

#ifndef FAULTS
#define FAULTS 2
#endif
#define L 3                /* lease */
#define S 2                /* solo_after, shorter than L */
#ifndef E
#define E 2                /* lease_margin: a query and its answer take up to two ticks */
#endif
#define LE (L + E)         /* detection_bound */
#define SLACK 1
#define SEARCH_AFTER 1     /* L / 5 */
#define AHEAD (LE + 2)
#define BOOT_WAIT (2 * LE)
#define SYNCING_WAIT (2 * LE)
#define ECHO_WINDOW (2 * LE)
#ifndef TERMS
#define TERMS 4            /* further takeovers are not looked at */
#endif
#define SILENCE_MAX (BOOT_WAIT + SYNCING_WAIT + 3 * LE)
#define none 255

#define BOOTING 0
#define STANDBY 1
#define ACTIVE 2

typedef Heartbeat {
    bool there;
    byte age;              /* since it was sent */
    byte echo;             /* since the heartbeat that it echoes was sent; none: it echoes nothing */
    bool grant;            /* of that one */
    byte role;
    bool ready, solo;
    byte term
}

typedef Node {
    bool up, paused, gap;
    byte role, term;
    bool suspended, ready;
    byte granted, solo_until;          /* leases: ticks left */
    byte promise, boot, quiet;         /* ticks left */
    bool settling;
    byte heard;                        /* since the newest believed heartbeat came; none: never */
    byte sent;                         /* since the newest genuine one was sent; none: never */
    byte peer_role, peer_term;
    bool peer_ready;
    byte ready_since;                  /* since our first heartbeat that said so; none: the last did not */
    byte unanswered, first;            /* since the first query without an answer; none: no search */
    short solo_possible;               /* ticks until the peer may begin a lease of its own */
    bool bound;                        /* solo_possible holds */
    bool query, answer                 /* wait for us */
}

Node n[2];
Heartbeat wire[2];                     /* from node i to the other one */
bool cut[2];
byte faults = FAULTS;
byte silent;

inline count_down(t) { if :: t > 0 -> t-- :: else fi }
inline count_up(t, top) { if :: t < top -> t++ :: else fi }

#define lease(i) (n[i].granted > n[i].solo_until -> n[i].granted : n[i].solo_until)
#define speaks(i) (n[i].up && n[i].role == ACTIVE && !n[i].suspended && lease(i) > 0)
#define peer_alive(i) (n[i].heard < LE)
#define stage(role, ready) (role == STANDBY -> (ready -> 3 : 2) : (role == BOOTING -> 1 : 0))
#define my_stage(i) stage(n[i].role, n[i].ready)
#define peer_stage(i) stage(n[i].peer_role, n[i].peer_ready)
#define outranks(i) (my_stage(i) > peer_stage(i) || (my_stage(i) == peer_stage(i) && i == 0))
#define solo_permitted(i) (n[i].heard >= S || !n[i].peer_ready)
#define is_ready(i) (n[i].role == STANDBY && n[i].ready)

inline restart_search(i) { n[i].unanswered = none; n[i].first = none }

inline pass_time(i) {
    count_down(n[i].granted); count_down(n[i].solo_until); count_down(n[i].promise);
    count_down(n[i].boot); count_down(n[i].quiet);
    count_up(n[i].heard, SYNCING_WAIT);
    count_up(n[i].sent, ECHO_WINDOW);
    if :: n[i].ready_since != none -> count_up(n[i].ready_since, ECHO_WINDOW) :: else fi;
    if :: n[i].unanswered != none -> count_up(n[i].unanswered, LE) :: else fi;
    if :: n[i].first != none -> count_up(n[i].first, LE) :: else fi;
    if
    :: n[i].bound -> n[i].solo_possible--; if :: n[i].solo_possible < -LE -> n[i].bound = false; n[i].solo_possible = 0 :: else fi
    :: else
    fi;
    if
    :: wire[i].there ->
        count_up(wire[i].age, ECHO_WINDOW);
        if :: wire[i].echo != none -> count_up(wire[i].echo, ECHO_WINDOW) :: else fi
    :: else
    fi
}

inline boot_up(i) {
    n[i].up = true; n[i].paused = false; n[i].gap = false;
    n[i].role = BOOTING; n[i].term = 0; n[i].suspended = false; n[i].ready = false;
    n[i].granted = 0; n[i].solo_until = 0; n[i].promise = 0; n[i].quiet = 0; n[i].boot = BOOT_WAIT;
    n[i].settling = false;
    n[i].heard = SYNCING_WAIT; n[i].sent = ECHO_WINDOW;
    n[i].peer_role = BOOTING; n[i].peer_term = 0; n[i].peer_ready = false;
    n[i].ready_since = none; n[i].bound = false; n[i].solo_possible = 0;
    n[i].query = false; n[i].answer = false;
    restart_search(i);
    /* What is on its way is of another boot, or echoes one. */
    wire[i].there = false;
    wire[1 - i].echo = none; wire[1 - i].grant = false
}

inline follow(i) {
    if
    :: n[i].role == STANDBY && n[i].term == n[i].peer_term
    :: else ->
        n[i].granted = 0; n[i].solo_until = 0;
        n[i].suspended = false; n[i].ready = false; n[i].ready_since = none; n[i].bound = false; n[i].solo_possible = 0;
        n[i].term = n[i].peer_term;
        n[i].role = STANDBY;
        restart_search(i)
    fi
}

/* hearing.cpp */
inline hear(i) {
    n[i].sent = wire[1 - i].age;
    if
    :: wire[1 - i].echo < ECHO_WINDOW ->
        n[i].heard = 0;
        n[i].peer_role = wire[1 - i].role; n[i].peer_ready = wire[1 - i].ready; n[i].peer_term = wire[1 - i].term;
        if
#ifdef PLANT_LEASE
        :: wire[1 - i].grant -> n[i].granted = L
#else
        :: wire[1 - i].grant && wire[1 - i].echo < L && L - wire[1 - i].echo > n[i].granted -> n[i].granted = L - wire[1 - i].echo
#endif
        :: else
        fi;
        if
        :: n[i].peer_role == ACTIVE && (n[i].role != ACTIVE || n[i].peer_term > n[i].term) -> follow(i)
        :: else
        fi;
        n[i].bound = n[i].peer_role == ACTIVE && !wire[1 - i].solo && n[i].ready_since != none && wire[1 - i].echo <= n[i].ready_since;
        if :: n[i].bound -> n[i].solo_possible = S - wire[1 - i].echo :: else -> n[i].solo_possible = 0 fi
    :: else                            /* echoed, so that it can prove itself; no proof of life */
    fi;
    wire[1 - i].there = false; wire[1 - i].age = 0; wire[1 - i].echo = none; wire[1 - i].grant = false;
    wire[1 - i].role = 0; wire[1 - i].ready = false; wire[1 - i].solo = false; wire[1 - i].term = 0
}

inline take_queries(i) {
    if :: n[i].answer -> restart_search(i); n[i].answer = false :: else fi;
    if
    :: n[i].query ->
        n[i].query = false;
        if
        :: speaks(i) -> n[1 - i].answer = n[1 - i].up
        :: !speaks(i) && (n[i].role == BOOTING || (n[i].role == ACTIVE && n[i].suspended)) ->
            restart_search(i);
            if :: i == 1 -> n[i].quiet = 2 * LE :: else fi
        :: else
        fi
    :: else
    fi
}

/* lease.hpp, 3 */
#define by_a(i) (is_ready(i) && n[i].bound && n[i].solo_possible > SLACK)
#define by_b(i) (!n[i].settling && is_ready(i) && n[i].bound && n[i].first != none && n[i].solo_possible + n[i].first >= SLACK && n[i].first < LE)
#ifdef PLANT_SEARCH
#define by_c(i) (!n[i].settling && n[i].unanswered != none && n[i].unanswered >= L - 1)
#else
#define by_c(i) (!n[i].settling && n[i].unanswered != none && n[i].unanswered >= LE)
#endif
#define search_over(i) (n[i].quiet == 0 && (by_a(i) || by_b(i) || by_c(i)))

#define silence_counts(i) (n[i].ready || n[i].heard >= SYNCING_WAIT)
#define absent(i) (!peer_alive(i) -> (n[i].role == BOOTING -> n[i].boot == 0 : silence_counts(i)) : \
                   (n[i].peer_role == ACTIVE || !outranks(i) -> false : \
                    (n[i].role == STANDBY || n[i].boot == 0 || n[i].granted > 0)))
#define promise_over(i) (n[i].promise == 0)

inline new_term(i) {
    n[i].term = (n[i].term > n[i].peer_term -> n[i].term : n[i].peer_term) + 1;
    /* node 0 has the even terms, node 1 the odd ones */
    if :: n[i].term % 2 != i -> n[i].term++ :: else fi
}

/* deciding.cpp */
inline decide(i) {
    if
    :: n[i].role != ACTIVE ->
        if
        :: absent(i) && promise_over(i) && (n[i].granted > 0 || search_over(i)) ->
            new_term(i);
            n[i].role = ACTIVE; n[i].suspended = false; n[i].ready = false;
            if :: n[i].granted == 0 -> n[i].solo_until = L :: else n[i].solo_until = 0 fi;
            restart_search(i)
        :: else
        fi
    :: n[i].role == ACTIVE && lease(i) > 0 ->
        if
        :: n[i].suspended ->           /* granted again */
            n[i].suspended = false;
            if :: n[i].peer_role == STANDBY && n[i].peer_term == n[i].term :: else new_term(i) fi;
            restart_search(i)
        :: !n[i].suspended && n[i].granted <= L - S && solo_permitted(i) -> n[i].solo_until = L
        :: else
        fi
    :: n[i].role == ACTIVE && lease(i) == 0 ->
        if :: !n[i].suspended -> n[i].suspended = true; restart_search(i) :: else fi;
        if
        :: !(peer_alive(i) && n[i].peer_ready) && search_over(i) ->
            new_term(i);
            n[i].suspended = false; n[i].solo_until = L;
            restart_search(i)
        :: else
        fi
    fi
}

#ifdef PLANT_SUSPENDED
#define SUSPENDED_SEARCHES false
#else
#define SUSPENDED_SEARCHES true
#endif
#define searching(i) (n[i].quiet == 0 && \
    (n[i].role == ACTIVE -> SUSPENDED_SEARCHES && n[i].suspended : \
    (n[i].role == BOOTING -> n[i].boot <= AHEAD && (!peer_alive(i) || outranks(i)) : \
    (n[i].heard < SEARCH_AFTER -> n[i].peer_role != ACTIVE && outranks(i) : n[i].ready || n[i].heard + AHEAD >= SYNCING_WAIT))))

inline ask(i) {
    if
    :: searching(i) ->
        n[1 - i].query = n[1 - i].up;
        if :: n[i].unanswered == none -> n[i].unanswered = 0 :: else fi;
        if :: n[i].first == none -> n[i].first = 0 :: else fi
    :: else -> restart_search(i)
    fi
}

#define grants(i) (n[i].role != ACTIVE && peer_alive(i) && (n[i].peer_role == ACTIVE -> n[i].role == STANDBY : !outranks(i)))

inline compose(i) {
    if
    :: !is_ready(i) -> n[i].ready_since = none; n[i].bound = false; n[i].solo_possible = 0
    :: is_ready(i) && n[i].ready_since == none -> n[i].ready_since = 0
    :: else
    fi;
    granted_now = grants(i) && n[i].sent < ECHO_WINDOW;
    if
    :: granted_now && n[i].promise < LE - n[i].heard -> n[i].promise = LE - n[i].heard
    :: else
    fi
}

inline put(i) {
    wire[i].there = true; wire[i].age = 0; wire[i].grant = granted_now;
    wire[i].echo = (n[i].sent < ECHO_WINDOW -> n[i].sent : none);
    wire[i].role = n[i].role; wire[i].ready = is_ready(i); wire[i].term = n[i].term;
    wire[i].solo = n[i].role == ACTIVE && (n[i].solo_until > 0 || solo_permitted(i))
}

#define one_speaker !((speaks(0) && speaks(1)))
#define calm (!cut[0] && !cut[1] && !n[0].paused && !n[1].paused && (n[0].up || n[1].up))

proctype world() {
    byte i, k, first;
    bool granted_now;
    do
    :: n[0].term < TERMS && n[1].term < TERMS ->
        d_step { pass_time(0); pass_time(1) }
        /* Faults: begun while there are some left, ended at any time. */
        do
        :: faults > 0 -> faults--; silent = 0;
            if
            :: n[0].up -> i = 0; n[i].up = false; n[i].paused = false
            :: n[1].up -> i = 1; n[i].up = false; n[i].paused = false
            :: n[0].up && !n[0].paused -> n[0].paused = true
            :: n[1].up && !n[1].paused -> n[1].paused = true
            :: !cut[0] -> cut[0] = true
            :: !cut[1] -> cut[1] = true
            fi
        :: !n[0].up -> d_step { i = 0; boot_up(i); silent = 0 } skip
        :: !n[1].up -> d_step { i = 1; boot_up(i); silent = 0 } skip
        :: n[0].paused -> n[0].paused = false; n[0].gap = true; silent = 0
        :: n[1].paused -> n[1].paused = false; n[1].gap = true; silent = 0
        :: cut[0] -> cut[0] = false; silent = 0
        :: cut[1] -> cut[1] = false; silent = 0
        :: break
        od;
        if :: first = 0 :: first = 1 fi;
        k = 0;
        do
        :: k < 2 ->
            i = (k == 0 -> first : 1 - first);
            if
            :: n[i].up && !n[i].paused ->
                if
                :: wire[1 - i].there -> d_step { hear(i) } skip
                :: wire[1 - i].there && !calm
                :: !wire[1 - i].there
                fi;
                /* The snapshot is complete, and the active has said so. */
                if
                :: n[i].role == STANDBY && !n[i].ready && n[i].heard == 0 && n[i].peer_role == ACTIVE -> n[i].ready = true
                :: true
                fi;
                d_step {
                    if
                    :: n[i].gap ->     /* note_gaps() */
                        n[i].unanswered = none;
                        if :: n[i].first == 0 -> n[i].first = none :: else fi;
                        n[i].settling = true
                    :: else
                    fi;
                    take_queries(i);
                    decide(i);
                    if :: n[i].gap -> n[i].gap = false :: else -> n[i].settling = false fi;
                    ask(i);
                    compose(i)
                }
                assert(one_speaker);
                if
                :: !cut[i] -> d_step { put(i) } skip
                :: cut[i] || !calm
                fi
            :: else
            fi;
            k++
        :: else -> break
        od;
        skip;
        d_step {
            if
            :: calm && !speaks(0) && !speaks(1) -> silent++
            :: else -> silent = 0
            fi;
            i = 0; k = 0; first = 0; granted_now = false;
            assert(silent < SILENCE_MAX)
        }
        skip
    :: else -> break
    od
}

init {
    d_step { n[0].heard = SYNCING_WAIT; boot_up(0); boot_up(1) }
    run world()
}
