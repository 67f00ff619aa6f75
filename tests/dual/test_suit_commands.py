"""SUIT command sequences: decoded strictly, and run as the draft's abstract machine does."""

from device.codec import cbor
from device.errors import ConditionError, DirectiveError, LimitError, SuitError, UnsupportedError
from device.suit import commands

VENDOR, CLASS, DIGEST = b"v" * 16, b"c" * 16, b"d" * 32
TRY_EACH, RUN, ABORT, SOFT = 15, 32, (14, 15), 13


def refused(function, data, error, text):
    try:
        function(data)
    except error as found:
        assert text in found.describe(), found.describe()
        return
    raise AssertionError("accepted")


def agree(effect):
    return True


def run(pairs, components=2, answer=agree):
    """Return the effects of one sequence; `answer(effect)` is the runner's answer."""
    return effects_of(commands.run((commands.decode(commands.encode(pairs)),), components), answer)


def effects_of(running, answer=agree):
    effects = []
    reply = None
    try:
        while True:
            effects.append(running.send(reply))
            reply = answer(effects[-1])
    except StopIteration:
        return effects


def uri(text):
    return commands.encode_parameters({21: text})


def uris(effects):
    return [(effect.component, effect.uri) for effect in effects]


def inside(*pairs):
    return commands.encode(pairs)


def test_a_sequence_is_not_empty_and_of_pairs():
    for items in ([], [1], [1, 15, 3], {1: 15}):
        refused(commands.decode, cbor.encode(items), SuitError, "pairs")
    for items in ([True, 15], ["1", 15], [b"1", 15]):
        refused(commands.decode, cbor.encode(items), SuitError, "command is not a number")


def test_unknown_commands_are_refused_by_name():
    for number in (0, 13, 99, -257):
        data = cbor.encode([number, 15])
        refused(commands.decode, data, UnsupportedError, f"command {number}")


def test_commands_that_are_not_carried_out_are_refused_by_name():
    for number, name in (
        (25, "suit-condition-image-not-match"),
        (26, "suit-condition-minimum-battery"),
        (28, "suit-condition-version"),
        (29, "suit-directive-wait"),
        (34, "suit-directive-override-multiple"),
        (35, "suit-directive-copy-params"),
    ):
        refused(run, [(number, 15)], UnsupportedError, name)


def test_parameters_that_are_not_used_are_refused_by_name():
    for number, value, name in (
        (12, False, "suit-parameter-strict-order that is false"),
        (25, b"", "suit-parameter-fetch-arguments"),
        (26, 5, "suit-parameter-minimum-battery"),
        (28, b"", "suit-parameter-version"),
        (99, 0, "parameter 99"),
        (-300, 0, "parameter -300"),
    ):
        refused(run, [(20, {number: value})], UnsupportedError, name)


def test_what_would_not_be_reached_is_refused_too():
    unreached = inside(ABORT, (29, 15))
    refused(run, [(TRY_EACH, [inside((12, 0)), unreached])], UnsupportedError, "suit-directive-wait")
    refused(run, [(TRY_EACH, [inside((12, 0)), inside(uri(5))])], SuitError, "wrong type")


def test_the_shared_sequence_holds_no_directive_that_acts():
    for number in (18, 21, 22, 23, 31):
        name = commands.name(number)
        for data in (inside((number, 2)), inside((RUN, inside((number, 2))))):
            refused(lambda one: commands.decode(one, True), data, UnsupportedError, name)
    nested = inside((TRY_EACH, [inside(ABORT), inside((12, 0))]), (1, 15))
    assert len(commands.decode(nested, True)) == 2


def test_parameters_of_the_wrong_type_are_refused():
    for number, value in (
        (1, b"short"),
        (1, "v" * 16),
        (2, b"c" * 17),
        (3, 5),
        (14, -1),
        (14, True),
        (21, b"u"),
    ):
        refused(run, [(20, {number: value})], SuitError, "wrong type")
    refused(run, [(20, {1: cbor.Tag(112, b"")})], UnsupportedError, "not a UUID")
    refused(run, [(20, {3: cbor.encode([-43, bytes(48)])})], UnsupportedError, "digest algorithm -43")
    refused(run, [(20, {})], SuitError, "not a map")
    refused(run, [(20, [1])], SuitError, "not a map")


def test_effects_come_in_order_with_the_parameters_of_their_component():
    pairs = [
        commands.encode_parameters({1: VENDOR, 3: DIGEST, 14: 5, 21: "u"}),
        (1, 15),
        (21, 2),
        (12, 1),
        commands.encode_parameters({2: CLASS, 3: bytes(32), 14: 6}),
        (2, 15),
        (3, 15),
        (12, 0),
        (3, 15),
    ]
    assert run(pairs) == [
        commands.MatchVendor(0, VENDOR),
        commands.Fetch(0, "u", DIGEST, 5),
        commands.MatchClass(1, CLASS),
        commands.MatchImage(1, bytes(32), 6),
        commands.MatchImage(0, DIGEST, 5),
    ]


def test_parameters_last_over_sequences_and_the_index_does_not():
    first = [(12, 1), commands.encode_parameters({1: VENDOR})]
    second = [(12, 1), (1, 15)]
    assert effects_of(commands.run((first, second), 2)) == [commands.MatchVendor(1, VENDOR)]
    refused(lambda pairs: effects_of(commands.run((first, pairs), 2)), [(1, 15)], SuitError, "not set")


def test_a_command_without_its_parameters_is_refused():
    for number in (1, 2, 3, 4, 5, 6, 18, 21, 22, 24, 27, 31):
        refused(run, [(number, 15)], SuitError, "not set")


def test_every_command_gives_its_effect():
    pairs = [
        (20, {4: 1700000000, 5: 1, 14: 9, 18: b"content", 21: "u", 22: 1, 23: b"args", 24: VENDOR, 27: -3}),
        (4, 15),
        (5, 15),
        (6, 15),
        (18, 2),
        (21, 2),
        (22, 2),
        (23, 2),
        (24, 15),
        (27, 15),
        (31, 2),
    ]
    assert run(pairs) == [
        commands.UseBefore(0, 1700000000),
        commands.MatchSlot(0, 1),
        commands.MatchContent(0, b"content"),
        commands.Write(0, b"content"),
        commands.Fetch(0, "u", None, 9),
        commands.Copy(0, 1),
        commands.Invoke(0, b"args"),
        commands.MatchDevice(0, VENDOR),
        commands.Authorise(0, -3),
        commands.Swap(0, 1),
    ]


def test_the_source_of_a_copy_is_a_component():
    for number in (22, 31):
        refused(run, [(20, {22: 2}), (number, 2)], SuitError, "no such component")


def test_a_condition_answered_with_false_ends_the_run():
    pairs = [commands.encode_parameters({1: VENDOR, 2: CLASS}), (1, 15), (2, 15)]
    for wrong in (commands.MatchVendor, commands.MatchClass):
        refused(
            lambda one, kind=wrong: run(one, 1, lambda effect: not isinstance(effect, kind)),
            pairs,
            ConditionError,
            "component=0",
        )


def test_no_answer_and_any_answer_but_true_is_a_failure():
    pairs = [commands.encode_parameters({1: VENDOR}), (1, 15)]
    for answer in (None, 0, 1, b"", "yes"):
        refused(lambda one, it=answer: run(one, 1, lambda effect: it), pairs, ConditionError, "component=0")


def test_a_directive_answered_with_false_ends_the_run_whatever_surrounds_it():
    fetch = inside(uri("u"), (21, 2))
    for pairs in ([uri("u"), (21, 2)], [(TRY_EACH, [fetch, inside((12, 0))])], [(RUN, fetch)]):
        refused(lambda one: run(one, 1, lambda effect: False), pairs, DirectiveError, "suit-directive-fetch")


def test_component_indexes_are_checked():
    refused(run, [(12, 2)], SuitError, "no such component")
    refused(run, [(12, [0, 2])], SuitError, "no such component")
    for index in (-1, "0", b"", None, False, [], [True], [-1], [[0]]):
        refused(run, [(12, index)], SuitError, "component index")


def test_a_command_runs_for_each_component_of_the_index_in_order():
    for index, components in ((True, [0, 1, 2]), ([2, 0], [2, 0]), (1, [1])):
        pairs = [(12, index), uri("u"), (21, 2)]
        assert uris(run(pairs, 3)) == [(component, "u") for component in components]


def test_a_sequence_inside_runs_to_its_end_for_each_component():
    sequence = inside(uri("a"), (21, 2), uri("b"), (21, 2))
    for number, argument in ((RUN, sequence), (TRY_EACH, [sequence, inside(ABORT)])):
        found = uris(run([(12, True), (number, argument)], 2))
        assert found == [(0, "a"), (0, "b"), (1, "a"), (1, "b")]


def test_an_index_set_inside_a_sequence_ends_with_it():
    pairs = [uri("out"), (RUN, inside((12, 1), uri("in"), (21, 2))), (21, 2)]
    assert uris(run(pairs)) == [(1, "in"), (0, "out")]


def test_try_each_takes_the_first_alternative_that_succeeds():
    first, second = inside(uri("a"), ABORT, (21, 2)), inside(uri("b"), (21, 2))
    assert uris(run([(TRY_EACH, [first, second])])) == [(0, "b")]
    assert uris(run([(TRY_EACH, [second, first])])) == [(0, "b")]


def test_try_each_fails_when_no_alternative_succeeds():
    failing = inside(ABORT)
    refused(run, [(TRY_EACH, [failing, failing])], ConditionError, "suit-directive-try-each")


def test_try_each_with_nil_may_come_to_nothing():
    failing = inside(ABORT)
    assert uris(run([(TRY_EACH, [failing, failing, None]), uri("u"), (21, 2)])) == [(0, "u")]


def test_try_each_has_two_sequences_or_more_and_nil_only_at_its_end():
    good = inside((12, 0))
    for argument in ([], [good], [good, None], 5, None):
        refused(run, [(TRY_EACH, argument)], SuitError, "try-each")
    refused(run, [(TRY_EACH, [good, None, good])], SuitError, "not a byte string")


def test_run_sequence_fails_with_its_condition_unless_soft_failure_is_set():
    hard, soft = inside(ABORT), inside((20, {SOFT: True}), ABORT, uri("never"), (21, 2))
    refused(run, [(RUN, hard)], ConditionError, "suit-condition-abort")
    assert uris(run([(RUN, soft), uri("u"), (21, 2)])) == [(0, "u")]


def test_try_each_fails_at_once_where_soft_failure_is_switched_off():
    hard = inside((20, {SOFT: False}), ABORT)
    refused(run, [(TRY_EACH, [hard, inside((12, 0))])], ConditionError, "suit-condition-abort")


def test_soft_failure_ends_with_its_sequence():
    soft = inside((20, {SOFT: True}))
    refused(run, [(RUN, soft), ABORT], ConditionError, "suit-condition-abort")
    refused(run, [(20, {SOFT: True})], SuitError, "soft failure outside")


def test_a_failed_condition_names_its_place():
    try:
        list(commands.run(([(12, 0)], [(12, 1), ABORT]), 2))
    except ConditionError as error:
        assert error.fields["component"] == 1
        assert (error.fields["sequence"], error.fields["index"]) == (1, 1)
        return
    raise AssertionError("accepted")


def test_the_offset_of_a_command_counts_bytes_of_its_sequence():
    data = commands.encode([(12, 0), (20, {21: "u"}), (21, 2)])
    assert [data[commands.section_offset(data, index)] for index in range(3)] == [12, 20, 21]


def test_nesting_is_bounded():
    data = inside((12, 0))
    for _ in range(4):
        data = inside((RUN, data))
    assert commands.decode(data)
    refused(commands.decode, inside((RUN, data)), LimitError, "nested SUIT sequences")


def test_the_number_of_commands_is_bounded():
    inner = inside(*([uri("u")] + [(21, 2)] * 100))
    refused(run, [(12, True), (RUN, inner), (RUN, inner), (RUN, inner)], LimitError, "SUIT commands")
    refused(run, [(RUN, inside(*[(12, 0)] * 200))] * 3, LimitError, "SUIT commands")


def test_reporting_policies_are_checked():
    parameters = commands.encode_parameters({1: VENDOR})
    for policy in (16, -1, True, None, "15"):
        refused(run, [parameters, (1, policy)], SuitError, "reporting policy")
