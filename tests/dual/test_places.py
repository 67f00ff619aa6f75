"""The clients of the local pages that stay connected: places for each peer, and the client that gives way."""

from device.limits import HTTP_CLIENTS, HTTP_CLIENTS_PER_PEER, HTTP_REMEMBERED_PEERS
from device.net.places import Places

OWNER, STRANGER, OTHER, FOURTH, FIFTH = "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5"


class Client:
    def __init__(self, listener, peer):
        self.peer = "".join(list(peer))  # an address arrives as a new string with each connection
        self.is_silent = True
        self.is_waiting = True
        self.is_reading = False
        self.is_hung_up = False
        self.is_in = listener.places.enter(self.peer, self, self.hang_up)

    def hang_up(self):
        self.is_hung_up = True
        self.is_in = False


class Listener:
    def __init__(self):
        self.places = Places()

    def clients(self, *peers):
        return [Client(self, peer) for peer in peers]

    def speaking(self, *peers):
        """Return clients in their handshake, or in the middle of a request."""
        found = self.clients(*peers)
        for client in found:
            client.is_silent = False
        return found

    def answered(self, *peers):
        """Return clients whose requests are complete."""
        found = self.clients(*peers)
        for client in found:
            client.is_waiting = False
        return found

    def reading(self, *peers):
        """Return clients that take their time with the answer."""
        found = self.answered(*peers)
        for client in found:
            client.is_reading = True
        return found


def inside(clients):
    return [client.is_in for client in clients]


def test_the_bounds_keep_a_place_for_another_host():
    assert 0 < HTTP_CLIENTS_PER_PEER < HTTP_CLIENTS


def test_a_full_peer_gives_up_its_oldest_waiting_client_and_no_other():
    listener = Listener()
    (other,) = listener.clients(OTHER)
    own = listener.clients(*(STRANGER,) * (HTTP_CLIENTS_PER_PEER + 2))
    assert inside(own) == [False, False] + [True] * HTTP_CLIENTS_PER_PEER
    assert other.is_in


def test_a_client_that_is_answered_does_not_give_way_to_one_of_its_own_host():
    listener = Listener()
    first = listener.answered(OWNER, OWNER)
    waiting = listener.clients(OWNER)
    (new,) = listener.clients(OWNER)
    assert inside(first + waiting + [new]) == [True, True, False, True]
    new.is_waiting = False
    (refused,) = listener.clients(OWNER)
    assert not refused.is_in and not refused.is_hung_up
    assert inside(first + [new]) == [True] * 3


def test_the_owner_gets_in_beside_50_silent_connections_of_one_host_and_stays():
    listener = Listener()
    listener.clients(*(STRANGER,) * 50)
    (owner,) = listener.clients(OWNER)
    listener.clients(*(STRANGER,) * 50)
    assert owner.is_in
    (second,) = listener.clients(OWNER)
    listener.clients(*(STRANGER,) * 50)
    assert owner.is_in and second.is_in


def test_the_newest_client_of_the_greediest_peer_gives_way():
    listener = Listener()
    strangers = listener.clients(*(STRANGER,) * 3)
    (other,) = listener.clients(OTHER)
    (owner,) = listener.clients(OWNER)
    assert inside(strangers) == [True, True, False]
    assert other.is_in and owner.is_in


def test_a_waiting_client_gives_way_before_one_that_is_answered():
    listener = Listener()
    (waiting,) = listener.clients(STRANGER)
    answered = listener.answered(STRANGER, STRANGER, OTHER)
    (owner,) = listener.clients(OWNER)
    assert owner.is_in and not waiting.is_in
    assert inside(answered) == [True, True, True]


def test_a_host_that_takes_its_answers_slowly_gives_one_up_too():
    listener = Listener()
    slow = listener.answered(STRANGER, STRANGER, STRANGER, OTHER)
    (owner,) = listener.clients(OWNER)
    assert owner.is_in
    assert inside(slow) == [True, True, False, True]


def test_with_one_client_of_each_peer_the_oldest_that_waits_gives_way():
    listener = Listener()
    found = listener.clients(STRANGER, OTHER, FOURTH, FIFTH)
    found[0].is_waiting = False
    (owner,) = listener.clients(OWNER)
    assert owner.is_in
    assert inside(found) == [True, False, True, True]


def test_with_one_answered_client_of_each_peer_a_new_peer_is_refused():
    listener = Listener()
    found = listener.answered(STRANGER, OTHER, FOURTH, FIFTH)
    (new,) = listener.clients(OWNER)
    assert not new.is_in and inside(found) == [True] * 4


def test_of_two_equally_greedy_peers_a_new_client_of_one_takes_the_place_of_its_own():
    listener = Listener()
    found = listener.clients(STRANGER, OWNER, STRANGER, OWNER)
    (new,) = listener.clients(STRANGER)
    assert new.is_in
    assert inside(found) == [False, True, True, True]


def test_a_place_is_free_again_after_its_client_left():
    listener = Listener()
    found = listener.answered(*(OWNER,) * HTTP_CLIENTS_PER_PEER)
    listener.places.leave(found[0])
    listener.places.leave(found[0])
    new = listener.clients(OWNER, OWNER)
    assert inside(new) == [False, True]  # the second replaced the first, which only waited
    assert inside(found[1:]) == [True, True]


def test_the_owner_gets_in_beside_four_hosts_that_read_their_answers_slowly():
    listener = Listener()
    slow = listener.reading(STRANGER, OTHER, FOURTH, FIFTH)
    (owner,) = listener.clients(OWNER)
    assert owner.is_in and inside(slow) == [False, True, True, True]


def test_a_host_that_reads_slowly_does_not_keep_itself_out():
    listener = Listener()
    slow = listener.reading(*(OWNER,) * HTTP_CLIENTS_PER_PEER)
    (new,) = listener.clients(OWNER)
    assert new.is_in and inside(slow) == [False] + [True] * (HTTP_CLIENTS_PER_PEER - 1)


def test_a_client_that_waits_gives_way_before_one_that_reads_and_one_that_is_answered_never():
    listener = Listener()
    clients = listener.reading(STRANGER) + listener.answered(OTHER) + listener.clients(FOURTH, FIFTH)
    listener.clients(OWNER)
    assert inside(clients) == [True, True, False, True]
    listener.clients("10.0.0.6", "10.0.0.7", "10.0.0.8")
    assert clients[1].is_in


def test_an_address_counts_once_whatever_its_form():
    listener = Listener()
    first = listener.clients(*(STRANGER,) * HTTP_CLIENTS_PER_PEER)
    (mapped,) = listener.clients("::ffff:" + STRANGER)
    assert mapped.is_in and not first[0].is_in
    other = Listener()
    assert inside(other.clients(*("fe80::1",) * 2 + ("fe80::2",) * 2)) == [True] * 4


def addresses(count, network="10.1.0."):
    return [network + str(number) for number in range(count)]


def test_a_silent_client_gives_way_before_one_that_speaks_however_many_addresses_come():
    listener = Listener()
    (owner,) = listener.speaking(OWNER)
    listener.clients(*addresses(50))
    listener.clients(*addresses(50, "fe80::"))
    assert owner.is_in


def test_a_second_connection_of_the_owner_takes_the_place_of_a_silent_stranger():
    listener = Listener()
    (first,) = listener.answered(OWNER)
    strangers = listener.clients(STRANGER, OTHER, FOURTH)
    (second,) = listener.clients(OWNER)
    assert first.is_in and second.is_in
    assert inside(strangers) == [False, True, True]


def test_addresses_that_come_back_after_each_hang_up_lose_against_one_that_never_was():
    listener = Listener()
    for _ in range(3):
        listener.speaking(*addresses(50))
    (owner,) = listener.speaking(OWNER)
    assert owner.is_in
    late = []
    for _ in range(4):
        late += listener.speaking(*addresses(50))
    assert owner.is_in
    owner.is_waiting = False
    assert len([client for client in late if client.is_in]) == HTTP_CLIENTS - 1


def test_one_hang_up_of_the_owner_is_not_held_against_it_after_a_complete_request():
    listener = Listener()
    (owner,) = listener.clients(OWNER)
    listener.clients(STRANGER, OTHER, FOURTH, FIFTH)
    assert owner.is_hung_up
    (again,) = listener.answered(OWNER)
    assert again.is_in and listener.places._wasted[OWNER] == 1
    listener.places.leave(again)
    assert OWNER not in listener.places._wasted


def test_a_connection_that_ends_without_a_request_counts_against_its_address():
    for times in (1, 2):
        listener = Listener()
        for _ in range(times):
            (drip,) = listener.speaking(STRANGER)
            listener.places.leave(drip)
        strangers = listener.speaking(OTHER, STRANGER, FOURTH, FIFTH)
        (owner,) = listener.clients(OWNER)
        assert owner.is_in and inside(strangers) == [True, False, True, True]
        owner.is_silent = False
        (again,) = listener.speaking(STRANGER)
        assert not again.is_in and owner.is_in


def test_the_memory_of_hang_ups_is_bounded_and_forgets_the_peer_with_the_fewest():
    listener = Listener()
    for _ in range(3):
        listener.clients(*addresses(HTTP_CLIENTS + 1))
    listener.clients(*addresses(HTTP_REMEMBERED_PEERS * 2, "10.2.0."))
    known = listener.places._wasted
    assert len(known) == HTTP_REMEMBERED_PEERS
    assert any(name.startswith("10.1.0.") for name in known)


def test_a_full_peer_gives_up_a_client_of_its_own_whatever_the_others_did():
    listener = Listener()
    (drip,) = listener.speaking(STRANGER)
    listener.places.leave(drip)
    (stranger,) = listener.clients(STRANGER)
    own = listener.speaking(*(OWNER,) * HTTP_CLIENTS_PER_PEER)
    (new,) = listener.clients(OWNER)
    assert new.is_in and stranger.is_in
    assert inside(own) == [False] + [True] * (HTTP_CLIENTS_PER_PEER - 1)


def test_of_two_peers_with_as_many_clients_the_one_with_more_silent_ones_gives_one_up():
    listener = Listener()
    silent = listener.clients(STRANGER)
    listener.speaking(STRANGER)
    greedy = listener.clients(OTHER, OTHER)
    (owner,) = listener.clients(OWNER)
    assert owner.is_in and inside(silent + greedy) == [True, True, False]


def test_beside_clients_that_all_speak_a_peers_second_client_takes_the_place_of_its_first():
    listener = Listener()
    found = listener.speaking(STRANGER, OWNER, OTHER, FOURTH)
    (new,) = listener.clients(OWNER)
    assert new.is_in and inside(found) == [True, False, True, True]


def test_a_client_that_speaks_gives_way_before_one_that_reads():
    listener = Listener()
    clients = listener.reading(STRANGER) + listener.speaking(OTHER) + listener.reading(FOURTH, FIFTH)
    (owner,) = listener.clients(OWNER)
    assert owner.is_in and inside(clients) == [True, False, True, True]


def test_beside_clients_that_are_all_answered_a_peer_that_has_as_many_as_any_is_refused():
    listener = Listener()
    clients = listener.answered(STRANGER, STRANGER, OWNER, OWNER)
    (new,) = listener.clients(OWNER)
    assert not new.is_in and inside(clients) == [True] * 4


def test_of_peers_that_have_to_give_way_alike_only_the_oldest_gives_one_up():
    for first, second in ((STRANGER, OTHER), (OTHER, STRANGER)):
        listener = Listener()
        clients = listener.clients(first, second, first, second)
        (owner,) = listener.clients(OWNER)
        assert owner.is_in and inside(clients) == [True, True, False, True]


def test_before_a_restart_every_client_is_hung_up():
    listener = Listener()
    clients = listener.clients(OWNER, STRANGER) + listener.answered(OTHER)
    listener.places.hang_up()
    assert all([client.is_hung_up for client in clients])
    assert Client(listener, OWNER).is_in, "the places are free again"
